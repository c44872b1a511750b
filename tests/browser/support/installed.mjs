// The browsers of this host, for the tests and for pages that are measured. Plain JavaScript, as
// tests/browser/load runs without a compiler.
import { existsSync } from "node:fs";

/** Debian's and Google's browsers, where their packages put them. */
const CHROMIUMS = ["/usr/bin/chromium", "/usr/bin/google-chrome"];

/** Debian's package, as people have it: not Playwright's own, which is a changed Firefox. */
const FIREFOX = process.env.FIREFOX || "/usr/bin/firefox-esr";

/** Where there is none, scripts/setup.sh has said so. */
export const hasFirefox = Boolean(process.env.FIREFOX) || existsSync(FIREFOX);

const CHROMIUM_FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * What Playwright launches Chromium with; without one on this host, Playwright's own.
 * @param {string[]} flags beside those that all have
 */
export function installedChromium(flags) {
  const path = process.env.CHROMIUM ?? CHROMIUMS.find((path) => existsSync(path));
  return {
    ...(path ? { executablePath: path } : {}),
    args: [...CHROMIUM_FLAGS, ...flags],
  };
}

/**
 * What Playwright launches Firefox with. Its camera is a test picture.
 * @param {Record<string, boolean | number | string>} preferences beside that
 */
export function installedFirefox(preferences) {
  return {
    // By WebDriver BiDi, which every Firefox speaks.
    channel: "moz-firefox",
    executablePath: FIREFOX,
    firefoxUserPrefs: { "media.navigator.streams.fake": true, ...preferences },
  };
}
