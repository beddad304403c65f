import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, run, type RunRequest, type RunResult } from "./api";

export type RunState =
  | { kind: "none" }
  | { kind: "running"; since: number }
  | { kind: "stopped" }
  | { kind: "done"; result: RunResult }
  | { kind: "failed"; error: ApiError };

/** One run at a time. Stopping closes the connection, which ends the run on the server too. */
export function useRun(token: string) {
  const [state, setState] = useState<RunState>({ kind: "none" });
  const current = useRef<AbortController | null>(null);

  useEffect(() => () => current.current?.abort(), []);

  const start = useCallback(
    async (request: RunRequest) => {
      if (current.current !== null) return;
      const controller = new AbortController();
      current.current = controller;
      setState({ kind: "running", since: Date.now() });
      try {
        setState({ kind: "done", result: await run(request, token, controller.signal) });
      } catch (error) {
        if (controller.signal.aborted) setState({ kind: "stopped" });
        else setState({ kind: "failed", error: error instanceof ApiError ? error : new ApiError(String(error)) });
      } finally {
        current.current = null;
      }
    },
    [token],
  );
  const stop = useCallback(() => current.current?.abort(), []);
  return { state, start, stop };
}
