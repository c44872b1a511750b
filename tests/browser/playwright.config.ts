import { defineConfig } from "@playwright/test";
import { hasFirefox } from "./support/installed.mjs";
import type { WorkerParts } from "./support/test.ts";

/**
 * Debian's Firefox ESR 153. Playwright from 1.65 on begins with a command that
 * it does not know, so until the next ESR this is 1.64.
 *
 * It takes twice as long as Chromium, and most of what the tests prove is the page's own doing or
 * the server's. So it runs those that are tagged as MAIN, and the others by `npm run firefox`. What
 * is ignored is about the page's looks and the server, which no browser changes; what Firefox cannot
 * do stands beside its test.
 */
const firefox = {
  name: "firefox",
  ...(process.env.EVERY_TEST ? { testIgnore: /accessibility|quiet/ } : { grep: /@main/ }),
  use: { kind: "firefox" },
} as const;

export default defineConfig<object, WorkerParts>({
  testDir: "specs",
  // Each test has its own server, and waits most of its time: four at a time are what a machine of
  // two cores can carry.
  workers: 4,
  fullyParallel: true,
  retries: 0,
  reporter: "list",
  forbidOnly: Boolean(process.env.CI),
  timeout: 60_000,
  globalTimeout: 1_200_000,
  expect: { timeout: 15_000 },
  projects: [{ name: "chromium" }, ...(hasFirefox ? [firefox] : [])],
  // The page's own ids, which its script uses too.
  use: { testIdAttribute: "id", trace: "off", screenshot: "off", video: "off" },
});
