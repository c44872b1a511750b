import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "specs",
  // Each test has its own server and browsers: one at a time is what a small machine can carry.
  workers: 1,
  retries: 0,
  reporter: "list",
  forbidOnly: Boolean(process.env.CI),
  timeout: 60_000,
  globalTimeout: 600_000,
  expect: { timeout: 15_000 },
  use: { trace: "off", screenshot: "off", video: "off" },
});
