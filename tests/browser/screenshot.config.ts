// `npm run screenshot` takes the pictures of the README.
import { defineConfig } from "@playwright/test";
import tests from "./playwright.config.ts";

export default defineConfig({
  ...tests,
  testDir: "screenshot",
  workers: 1,
  projects: [{ name: "chromium" }],
});
