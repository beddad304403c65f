import { useCallback, useEffect, useState } from "react";
import { Editor } from "./Editor";
import { ErrorNote } from "./ErrorNote";
import { LanguageSelect } from "./LanguageSelect";
import { ResultPanel } from "./ResultPanel";
import { isSample, sampleInput, sampleOf } from "./samples";
import { ThemeButton } from "./ThemeButton";
import { TokenField } from "./TokenField";
import { useLanguages } from "./useLanguages";
import { useRun } from "./useRun";

const tokenKey = "token";

export function App() {
  const [token, setToken] = useState(() => sessionStorage.getItem(tokenKey) ?? "");
  const [chosen, setChosen] = useState("");
  const [source, setSource] = useState("");
  const [stdin, setStdin] = useState(sampleInput);
  const languages = useLanguages(token);
  const { state, start, stop } = useRun(token);

  const choose = useCallback((id: string) => {
    setChosen(id);
    setSource((text) => (isSample(text) ? sampleOf(id) : text));
  }, []);

  // The first language that works, until somebody chooses.
  useEffect(() => {
    if (languages.state.kind !== "ready" || chosen !== "") return;
    const usable = languages.state.languages.filter((l) => l.available);
    const first = usable.find((l) => l.id === "python") ?? usable[0];
    if (first !== undefined) choose(first.id);
  }, [languages.state, chosen, choose]);

  const running = state.kind === "running";
  const submit = useCallback(() => {
    if (chosen !== "") void start({ language: chosen, source, stdin });
  }, [start, chosen, source, stdin]);

  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      submit();
    }
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [submit]);

  const failure = languages.state.kind === "failed" ? languages.state.error : null;
  const empty = languages.state.kind === "ready" && !languages.state.languages.some((l) => l.available);
  return (
    <>
      <header>
        <h1>assay</h1>
        <LanguageSelect state={languages.state} value={chosen} onChange={choose} />
        {running ? (
          <button type="button" className="primary" onClick={stop}>
            Stop
          </button>
        ) : (
          <button type="button" className="primary" onClick={submit} disabled={chosen === ""} title="Ctrl+Enter">
            Run
          </button>
        )}
        <span className="spread" />
        <a href="/openapi.json">API</a>
        <ThemeButton />
      </header>
      {failure?.status === 401 && (
        <TokenField
          onToken={(value) => {
            sessionStorage.setItem(tokenKey, value);
            setToken(value);
          }}
        />
      )}
      {failure !== null && failure.status !== 401 && <ErrorNote error={failure} onRetry={languages.retry} />}
      {empty && (
        <p className="note">
          No language works on this host yet. Install a toolchain, then see <code>assay languages</code> for what is missing.
        </p>
      )}
      <main>
        <div className="column">
          <Editor value={source} onChange={setSource} />
          <section className="pane input">
            <div className="bar">
              <label htmlFor="stdin">Standard input</label>
            </div>
            <textarea id="stdin" className="code" spellCheck={false} value={stdin} onChange={(event) => setStdin(event.target.value)} />
          </section>
        </div>
        <ResultPanel state={state} />
      </main>
    </>
  );
}
