// Drives the page of a running server in a real browser: BASE_URL=http://127.0.0.1:8080 npm run e2e
// CHROMIUM names the browser, SCREENSHOTS a folder for pictures of both themes.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

const base = process.env.ASSAY_URL ?? ""; // BASE_URL, see vitest.config.ts
const pictures = process.env.SCREENSHOTS;

let profile: string;
let browser: BrowserContext;
let page: Page;
const complaints: string[] = [];

beforeAll(async () => {
  profile = await mkdtemp(join(tmpdir(), "assay-e2e-"));
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
    viewport: { width: 1280, height: 800 },
    colorScheme: "light",
  });
  page = browser.pages()[0] ?? (await browser.newPage());
  // Errors of scripts and of the Content-Security-Policy arrive here.
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(base);
  await page.getByLabel("Language").selectOption("python");
});

afterAll(async () => {
  await browser?.close();
  await rm(profile, { recursive: true, force: true });
});

async function picture(name: string) {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`) });
}

const result = () => page.getByRole("region", { name: "Result" });

test("a sample runs with one click", async () => {
  await picture("first-use");
  await page.getByRole("button", { name: "Run" }).click();
  await result().getByText("Finished").waitFor();
  await result().getByText("Hello, world").waitFor();
  await result().getByText("CPU time").waitFor();
  await picture("ok-light");
});

test("Ctrl+Enter runs, and a failing program is shown in words", async () => {
  await page.getByLabel("Program").fill("import sys\nsys.exit(3)\n");
  await page.keyboard.press("Control+Enter");
  await result().getByText("RTE").waitFor();
  await result().getByText("Runtime error").waitFor();
  await picture("runtime-error-light");
});

test("Stop ends a run that does not end", async () => {
  await page.getByLabel("Program").fill("while True: pass\n");
  await page.keyboard.press("Control+Enter");
  const stop = page.getByRole("button", { name: "Stop" });
  await stop.waitFor();
  await stop.click();
  await result().getByText("The run was stopped.").waitFor();
});

test("Tab indents, and leaves after Esc", async () => {
  const editor = page.getByLabel("Program");
  await editor.fill("");
  await editor.press("Tab");
  expect(await editor.inputValue()).toBe("    ");
  await editor.press("Escape");
  await editor.press("Tab");
  expect(await page.getByLabel("Standard input").evaluate((box) => box === document.activeElement)).toBe(true);
});

test("the compiler's messages are shown", async () => {
  await page.getByLabel("Language").selectOption("cpp");
  await page.getByLabel("Program").fill("nonsense\n");
  await page.keyboard.press("Control+Enter");
  await result().getByText("Compile error").waitFor();
  await result().getByText("Compiler messages").waitFor();
});

test("the dark theme is remembered", async () => {
  await page.getByRole("button", { name: "Dark theme" }).click();
  await picture("compile-error-dark");
  await page.reload();
  await page.getByRole("button", { name: "Light theme" }).waitFor();
  expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
});

test("a narrow window has one column and does not scroll sideways", async () => {
  await page.setViewportSize({ width: 400, height: 800 });
  await page.getByLabel("Language").selectOption("python");
  await page.getByRole("button", { name: "Run" }).click();
  await result().getByText("Finished").waitFor();
  await picture("narrow-dark");
  const { width, inner } = await page.evaluate(() => ({ width: document.documentElement.scrollWidth, inner: window.innerWidth }));
  expect(width).toBeLessThanOrEqual(inner);
});

test("nothing was refused or thrown on the way", () => {
  expect(complaints).toEqual([]);
});
