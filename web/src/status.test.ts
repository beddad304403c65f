import { expect, test } from "vitest";
import type { RunResult } from "./api";
import { explain, looks } from "./status";

const result: RunResult = {
  status: "ok",
  limit: null,
  stdout: "",
  stderr: "",
  exit_code: 0,
  signal: null,
  cpu_time_ms: 1,
  wall_time_ms: 1,
  memory_bytes: 1,
  truncated: false,
  message: "",
  compile: null,
};

test("every status has a code, words and an icon of its own", () => {
  const all = Object.values(looks);
  for (const part of ["code", "label", "icon"] as const) expect(new Set(all.map((l) => l[part])).size).toBe(all.length);
});

test("words for what happened", () => {
  expect(explain({ ...result, message: "from the server" })).toBe("from the server");
  expect(explain({ ...result, status: "runtime_error", exit_code: 3 })).toBe("exit code 3");
  expect(explain({ ...result, status: "runtime_error", exit_code: null, signal: "SIGSEGV" })).toBe("ended by SIGSEGV");
  expect(explain({ ...result, status: "time_limit_exceeded", limit: "wall" })).toContain("wall");
  expect(explain({ ...result, status: "time_limit_exceeded", limit: "cpu" })).toContain("CPU");
});
