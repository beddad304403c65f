import { useRef, type KeyboardEvent } from "react";

interface Props {
  value: string;
  onChange: (value: string) => void;
}

/** A text box for code. Tab indents; Esc gives Tab its usual meaning back until the box is left. */
export function Editor({ value, onChange }: Props) {
  const free = useRef(false);

  function onKeyDown(event: KeyboardEvent<HTMLTextAreaElement>) {
    if (event.key === "Escape") free.current = true;
    if (event.key !== "Tab" || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey || free.current) return;
    event.preventDefault();
    const box = event.currentTarget;
    box.setRangeText("    ", box.selectionStart, box.selectionEnd, "end");
    onChange(box.value);
  }

  return (
    <section className="pane editor">
      <div className="bar">
        <label htmlFor="source">Program</label>
        <span className="muted" id="source-hint">
          Tab indents. Esc, then Tab leaves.
        </span>
      </div>
      <textarea
        id="source"
        className="code"
        aria-describedby="source-hint"
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        wrap="off"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={onKeyDown}
        onFocus={() => (free.current = false)}
      />
    </section>
  );
}
