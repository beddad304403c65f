import { useEffect, useState } from "react";
import { ApiError, listLanguages, type Language } from "./api";

export type LanguagesState = { kind: "loading" } | { kind: "ready"; languages: Language[] } | { kind: "failed"; error: ApiError };

/** The list of languages; retry asks again. */
export function useLanguages(token: string) {
  const [state, setState] = useState<LanguagesState>({ kind: "loading" });
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    const controller = new AbortController();
    setState({ kind: "loading" });
    listLanguages(token, controller.signal).then(
      (languages) => {
        // A binary cannot be typed into this page.
        setState({ kind: "ready", languages: languages.filter((l) => l.id !== "exe") });
      },
      (error: unknown) => {
        if (controller.signal.aborted) return;
        setState({ kind: "failed", error: error instanceof ApiError ? error : new ApiError(String(error)) });
      },
    );
    return () => controller.abort();
  }, [token, attempt]);

  return { state, retry: () => setAttempt((n) => n + 1) };
}
