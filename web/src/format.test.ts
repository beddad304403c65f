import { expect, test } from "vitest";
import { duration, sentence, size } from "./format";

test("durations: milliseconds below one second, then seconds", () => {
  expect([0.5, 9.314, 42.26, 999, 1000, 12345].map(duration)).toEqual(["0.50 ms", "9.31 ms", "42.3 ms", "999 ms", "1.00 s", "12.35 s"]);
});

test("sizes: binary units", () => {
  expect([0, 1023, 1024, 1519616, 2 ** 31].map(size)).toEqual(["0 B", "1023 B", "1 KiB", "1.4 MiB", "2.00 GiB"]);
});

test("sentences begin with a capital and end with a full stop, once", () => {
  expect(["", "is missing", "Done.", "what now?"].map(sentence)).toEqual(["", "Is missing.", "Done.", "What now?"]);
});
