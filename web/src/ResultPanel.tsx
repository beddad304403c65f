import type { RunResult } from "./api";
import { ErrorNote } from "./ErrorNote";
import { duration, sentence, size } from "./format";
import { StatusBadge } from "./StatusBadge";
import { explain } from "./status";
import { Stream } from "./Stream";
import type { RunState } from "./useRun";

/** What became of the last run. Screen readers hear the status when it changes. */
export function ResultPanel({ state }: { state: RunState }) {
  return (
    <section className="pane result" aria-label="Result" aria-live="polite" aria-busy={state.kind === "running"}>
      {state.kind === "none" && <p className="muted">Press Run, or Ctrl+Enter, and the result appears here.</p>}
      {state.kind === "stopped" && <p className="muted">The run was stopped.</p>}
      {state.kind === "running" && (
        <div className="skeleton" role="status">
          <p className="muted">Running…</p>
          <span />
          <span />
        </div>
      )}
      {state.kind === "failed" && <ErrorNote error={state.error} />}
      {state.kind === "done" && <Result result={state.result} />}
    </section>
  );
}

function Result({ result }: { result: RunResult }) {
  const compiled = result.status !== "compile_error";
  const messages = result.compile === null ? "" : result.compile.stdout + result.compile.stderr;
  return (
    <>
      <div className="verdict">
        <StatusBadge status={result.status} />
        <span className="muted">{sentence(explain(result))}</span>
      </div>
      {compiled && (
        <dl className="figures">
          <Figure name="CPU time" value={duration(result.cpu_time_ms)} exact={`${result.cpu_time_ms} ms`} />
          <Figure name="Wall time" value={duration(result.wall_time_ms)} exact={`${result.wall_time_ms} ms`} />
          <Figure name="Memory" value={size(result.memory_bytes)} exact={`${result.memory_bytes} bytes`} />
          {result.exit_code !== null && <Figure name="Exit code" value={String(result.exit_code)} />}
          {result.compile !== null && (
            <Figure name="Compile" value={result.compile.cached ? "from cache" : duration(result.compile.cpu_time_ms)} exact={`${result.compile.cpu_time_ms} ms`} />
          )}
        </dl>
      )}
      <Stream title="Compiler messages" text={messages} {...(compiled ? {} : { empty: "The compiler said nothing." })} />
      {compiled && <Stream title="Output" text={result.stdout} empty="The program printed nothing." />}
      <Stream title="Error output" text={result.stderr} />
      {result.truncated && <p className="muted">The output was longer than its limit; this is what fitted.</p>}
    </>
  );
}

function Figure({ name, value, exact }: { name: string; value: string; exact?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd title={exact}>{value}</dd>
    </div>
  );
}
