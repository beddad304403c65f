import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { App } from "./App";

type Call = { path: string; init: RequestInit };

let calls: Call[] = [];

/** Answers each path with what the test says. */
function serve(answers: Record<string, () => Promise<Response> | Response>) {
  calls = [];
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    calls.push({ path, init });
    const answer = answers[path];
    return answer === undefined ? Promise.reject(new TypeError("no route")) : Promise.resolve().then(answer);
  });
}

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });

const languages = () =>
  json({
    languages: [
      { id: "cpp", name: "C++", version: "12", aliases: [], extensions: [], options: {}, available: true, reason: "" },
      { id: "python", name: "Python", version: "3.11", aliases: [], extensions: [], options: {}, available: true, reason: "" },
      { id: "rust", name: "Rust", version: "", aliases: [], extensions: [], options: {}, available: false, reason: "no rustc" },
      { id: "exe", name: "Executable", version: "", aliases: [], extensions: [], options: {}, available: true, reason: "" },
    ],
  });

const done = {
  status: "ok",
  limit: null,
  stdout: "Hello, world\n",
  stderr: "",
  exit_code: 0,
  signal: null,
  cpu_time_ms: 9.31,
  wall_time_ms: 10,
  memory_bytes: 5242880,
  truncated: false,
  message: "",
  compile: null,
};

beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({ matches: false }));
});

afterEach(() => {
  cleanup();
  localStorage.clear();
  sessionStorage.clear();
  vi.unstubAllGlobals();
});

const select = () => screen.getByLabelText<HTMLSelectElement>("Language");
const source = () => screen.getByLabelText<HTMLTextAreaElement>("Program");
const ready = () => waitFor(() => expect(select().value).toBe("python"));

test("lists languages, chooses one that works, and leaves out binaries", async () => {
  serve({ "/v1/languages": languages });
  render(<App />);
  expect(select().disabled).toBe(true);
  await ready();
  expect([...select().options].map((o) => [o.textContent, o.disabled])).toEqual([
    ["C++ · 12", false],
    ["Python · 3.11", false],
    ["Rust (not available)", true],
  ]);
  expect(source().value).toContain("input()");
});

test("changing the language replaces a sample and keeps what somebody wrote", async () => {
  serve({ "/v1/languages": languages });
  render(<App />);
  await ready();
  fireEvent.change(select(), { target: { value: "cpp" } });
  expect(source().value).toContain("#include");
  fireEvent.change(source(), { target: { value: "mine" } });
  fireEvent.change(select(), { target: { value: "python" } });
  expect(source().value).toBe("mine");
});

test("runs and shows status, figures and output", async () => {
  serve({ "/v1/languages": languages, "/v1/run": () => json(done) });
  render(<App />);
  await ready();
  fireEvent.click(screen.getByRole("button", { name: "Run" }));
  await screen.findByText("Hello, world");
  for (const text of ["OK", "Finished", "9.31 ms", "5.0 MiB"]) expect(screen.getByText(text)).toBeTruthy();
  const body = JSON.parse(String(calls[1]?.init.body)) as Record<string, unknown>;
  expect(body).toEqual({ language: "python", source: source().value, stdin: "world\n" });
});

test("Ctrl+Enter runs once while a run is going on, and Stop ends it", async () => {
  serve({
    "/v1/languages": languages,
    "/v1/run": () =>
      new Promise((_, reject) => {
        calls[1]?.init.signal?.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
      }),
  });
  render(<App />);
  await ready();
  fireEvent.keyDown(source(), { key: "Enter", ctrlKey: true });
  fireEvent.keyDown(source(), { key: "Enter", metaKey: true });
  fireEvent.click(await screen.findByRole("button", { name: "Stop" }));
  await screen.findByText("The run was stopped.");
  expect(calls.filter((c) => c.path === "/v1/run").length).toBe(1);
});

test("shows the compiler's messages and no figures after a compile error", async () => {
  const compile = { status: "compile_error", stdout: "", stderr: "line 1: error", exit_code: 1, cpu_time_ms: 5, truncated: false, cached: false };
  serve({ "/v1/languages": languages, "/v1/run": () => json({ ...done, status: "compile_error", stdout: "", exit_code: null, compile }) });
  render(<App />);
  await ready();
  fireEvent.click(screen.getByRole("button", { name: "Run" }));
  await screen.findByText("line 1: error");
  expect(screen.queryByText("CPU time")).toBeNull();
});

test("shows a problem with its hint and request id", async () => {
  const problem = { detail: "the line is full", hint: "try again soon", request_id: "ID7" };
  serve({ "/v1/languages": languages, "/v1/run": () => json(problem, 503) });
  render(<App />);
  await ready();
  fireEvent.click(screen.getByRole("button", { name: "Run" }));
  await screen.findByText("The line is full.");
  expect(screen.getByText("ID7")).toBeTruthy();
});

test("offers to try again when the server cannot be reached", async () => {
  serve({});
  render(<App />);
  const again = await screen.findByRole("button", { name: "Try again" });
  serve({ "/v1/languages": languages });
  fireEvent.click(again);
  await ready();
});

test("asks for a token and sends it", async () => {
  serve({ "/v1/languages": () => json({ detail: "this server needs a token" }, 401) });
  render(<App />);
  const field = await screen.findByLabelText("This server needs a token");
  serve({ "/v1/languages": languages });
  fireEvent.change(field, { target: { value: "secret" } });
  fireEvent.click(screen.getByRole("button", { name: "Use token" }));
  await ready();
  expect(new Headers(calls[0]?.init.headers).get("Authorization")).toBe("Bearer secret");
});

test("says what to do when no language works", async () => {
  serve({ "/v1/languages": () => json({ languages: [] }) });
  render(<App />);
  await screen.findByText(/No language works on this host yet/);
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Run" }).disabled).toBe(true);
});
