import type { RunResult, Status } from "./api";

/** How a status is shown: never by colour alone, so a code and an icon go with it. The path is drawn on a 16 × 16 grid. */
export interface Look {
  code: string;
  label: string;
  icon: string;
}

export const looks: Record<Status, Look> = {
  ok: { code: "OK", label: "Finished", icon: "M3 8.5l3.2 3.2L13 4.8" },
  compile_error: { code: "CE", label: "Compile error", icon: "M6 2.5c-3 0 0 5-3 5.5 3 .5 0 5.5 3 5.5M10 2.5c3 0 0 5 3 5.5-3 .5 0 5.5-3 5.5" },
  runtime_error: { code: "RTE", label: "Runtime error", icon: "M9 1.5L4 9h4l-1 5.5L12 7H8z" },
  time_limit_exceeded: { code: "TLE", label: "Time limit exceeded", icon: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 4.5V8l2.5 1.8" },
  memory_limit_exceeded: { code: "MLE", label: "Memory limit exceeded", icon: "M4.5 4.5h7v7h-7zM6.5 2v2.5M9.5 2v2.5M6.5 11.5V14M9.5 11.5V14M2 6.5h2.5M2 9.5h2.5M11.5 6.5H14M11.5 9.5H14" },
  output_limit_exceeded: { code: "OLE", label: "Output limit exceeded", icon: "M2.5 4h11M2.5 8h11M2.5 12h7" },
  internal_error: { code: "IE", label: "assay failed", icon: "M8 2.5L14 13H2zM8 6.5v3M8 11.2v.3" },
};

/** What happened, in words: the server's message, or what the numbers say. */
export function explain(result: RunResult): string {
  if (result.message !== "") return result.message;
  switch (result.status) {
    case "runtime_error":
      return result.signal !== null ? `ended by ${result.signal}` : `exit code ${result.exit_code ?? "unknown"}`;
    case "time_limit_exceeded":
      return result.limit === "wall" ? "it was still running at the wall time limit" : "it used up its CPU time";
    case "compile_error":
      return "the compiler's messages are below";
    case "internal_error":
      return "the program is not to blame; try again";
    default:
      return "";
  }
}
