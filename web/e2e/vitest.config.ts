import { defineConfig } from "vitest/config";

// Vite sets BASE_URL to something of its own in the tests, so the address goes in under another name.
const address = process.env.BASE_URL;
if (address === undefined) throw new Error("set BASE_URL to the address of a running assay serve");

export default defineConfig({
  test: {
    environment: "node",
    include: ["e2e/**/*.e2e.ts"],
    env: { ASSAY_URL: address },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
