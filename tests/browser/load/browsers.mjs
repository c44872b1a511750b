// Browsers for pages that are measured. tests/browser/support/browsers.ts has those of the tests.
import { join } from "node:path";
import { chromium, firefox } from "playwright-core";
import { installedChromium, installedFirefox } from "../support/installed.mjs";

const FLAGS = [
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
  return chromium.launch(
    installedChromium([
      ...FLAGS,
      ...(camera ? [`--use-file-for-fake-video-capture=${camera}`] : []),
      ...(trusted ? [`--ignore-certificate-errors-spki-list=${trusted}`] : []),
    ]),
  );
}

/** Debian's Firefox, with a test picture as its camera. */
export function launchFirefox() {
  return firefox.launch(installedFirefox({ "permissions.default.camera": 1 }));
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
