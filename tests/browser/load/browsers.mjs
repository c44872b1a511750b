// Browsers for pages that are measured. tests/browser/support/browsers.ts has those of the tests.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium, firefox } from "playwright-core";

const CHROMIUMS = ["/usr/bin/chromium", "/usr/bin/google-chrome"];
const FIREFOX = process.env.FIREFOX || "/usr/bin/firefox-esr";
const FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Pages behind others would be slowed down.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream=fps=30",
];

/**
 * Chromium that plays `camera`, a file, as its camera, or else a test picture, and trusts
 * certificates with the key whose SHA-256 is `trusted`, in Base64.
 */
export function launchChromium({ camera, trusted } = {}) {
  const executablePath = process.env.CHROMIUM ?? CHROMIUMS.find((path) => existsSync(path));
  return chromium.launch({
    ...(executablePath ? { executablePath } : {}),
    args: [
      ...FLAGS,
      ...(camera ? [`--use-file-for-fake-video-capture=${camera}`] : []),
      ...(trusted ? [`--ignore-certificate-errors-spki-list=${trusted}`] : []),
    ],
  });
}

/** Debian's Firefox, with a test picture as its camera. */
export function launchFirefox() {
  return firefox.launch({
    channel: "moz-firefox",
    executablePath: FIREFOX,
    firefoxUserPrefs: { "media.navigator.streams.fake": true, "permissions.default.camera": 1 },
  });
}

/** Gives every page of the context `drawTime`. */
export function addTimeCode(context) {
  return context.addInitScript({ path: join(import.meta.dirname, "time-code.js") });
}

/**
 * Whether this "error of the page" is a lost WebSocket: Firefox reports those among the uncaught
 * errors of scripts, although nothing was thrown.
 */
export function isLostConnection(error) {
  return /establish a connection to the server at wss?:|The connection to wss?:/.test(String(error));
}
