import { useState } from "react";
import { size } from "./format";

/** How many characters are drawn at first: a megabyte in one element makes a browser slow. */
const shown = 100_000;

interface Props {
  title: string;
  text: string;
  empty?: string;
}

/** One output stream. Nothing is drawn for an empty one unless there are words for it. */
export function Stream({ title, text, empty }: Props) {
  const [all, setAll] = useState(false);
  if (text === "" && empty === undefined) return null;

  function download() {
    const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `${title.toLowerCase().replaceAll(" ", "-")}.txt`;
    link.click();
    URL.revokeObjectURL(url);
  }

  const long = text.length > shown;
  return (
    <section className="stream">
      <div className="bar">
        <h2>{title}</h2>
        {text !== "" && (
          <button type="button" className="quiet" onClick={download}>
            Download
          </button>
        )}
      </div>
      {text === "" ? <p className="muted">{empty}</p> : <pre tabIndex={0}>{long && !all ? text.slice(0, shown) : text}</pre>}
      {long && !all && (
        <button type="button" className="quiet" onClick={() => setAll(true)}>
          Show all {size(text.length)}
        </button>
      )}
    </section>
  );
}
