// The calls of the page, and the JSON they speak (design.md, section 5.2).

export interface Language {
  id: string;
  name: string;
  version: string;
  aliases: string[];
  extensions: string[];
  available: boolean;
  reason: string;
}

export type Status =
  | "ok"
  | "compile_error"
  | "runtime_error"
  | "time_limit_exceeded"
  | "memory_limit_exceeded"
  | "output_limit_exceeded"
  | "internal_error";

export interface CompileResult {
  status: Status;
  stdout: string;
  stderr: string;
  exit_code: number | null;
  cpu_time_ms: number;
  truncated: boolean;
  cached: boolean;
}

export interface RunResult {
  status: Status;
  limit: "cpu" | "wall" | null;
  stdout: string;
  stderr: string;
  exit_code: number | null;
  signal: string | null;
  cpu_time_ms: number;
  wall_time_ms: number;
  memory_bytes: number;
  truncated: boolean;
  message: string;
  compile: CompileResult | null;
}

export interface RunRequest {
  language: string;
  source: string;
  stdin: string;
}

/** An answer that is not a result: what happened, what to do, and the id that the server's log knows. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly hint = "",
    readonly requestId = "",
    readonly status = 0,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

async function call<T>(path: string, token: string, init: RequestInit): Promise<T> {
  const headers = new Headers(init.headers);
  if (token !== "") headers.set("Authorization", `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiError("The server cannot be reached", "Check that assay serve is running, then try again.");
  }
  const body: unknown = await response.json().catch(() => null);
  if (response.ok && body !== null) return body as T;
  const problem = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const text = (key: string) => (typeof problem[key] === "string" ? problem[key] : "");
  throw new ApiError(
    text("detail") || `The server answered ${response.status}`,
    text("hint"),
    text("request_id") || (response.headers.get("X-Request-Id") ?? ""),
    response.status,
  );
}

export async function listLanguages(token: string, signal: AbortSignal): Promise<Language[]> {
  const reply = await call<{ languages: Language[] }>("/v1/languages", token, { signal });
  return reply.languages;
}

export function run(request: RunRequest, token: string, signal: AbortSignal): Promise<RunResult> {
  return call<RunResult>("/v1/run", token, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
    signal,
  });
}
