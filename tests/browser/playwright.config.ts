import { defineConfig } from "@playwright/test";
import { FLAGS, PROGRAM } from "./support/browser.mjs";

// One stack for all tests, started by the global set-up on free ports; each test makes the tickets that it needs.
export default defineConfig({
  testDir: "screens",
  globalSetup: "./support/start.ts",
  fullyParallel: false,
  // The CRM's behaviour belongs to the whole stack.
  workers: 1,
  // A flaky test is a failed test.
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  outputDir: "test-results",
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    locale: "en-GB",
    timezoneId: "UTC",
    viewport: { width: 1440, height: 900 },
    actionTimeout: 15_000,
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
    launchOptions: { executablePath: PROGRAM, args: FLAGS },
  },
});
