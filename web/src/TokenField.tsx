import { useState, type FormEvent } from "react";

/** Asks for a token on servers that do not let guests in. It is kept for this tab only. */
export function TokenField({ onToken }: { onToken: (token: string) => void }) {
  const [value, setValue] = useState("");
  function submit(event: FormEvent) {
    event.preventDefault();
    onToken(value.trim());
  }
  return (
    <form className="note" onSubmit={submit}>
      <label className="field">
        <span>This server needs a token</span>
        <input type="password" autoComplete="off" value={value} onChange={(event) => setValue(event.target.value)} />
      </label>
      <button type="submit">Use token</button>
    </form>
  );
}
