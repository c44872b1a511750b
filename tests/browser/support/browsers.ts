// The browsers that people come with, each with a camera that a test chooses.
import { type Browser, type BrowserContext, chromium, firefox } from "@playwright/test";
import type { Camera } from "./cameras.ts";
import { showInFirefox } from "./firefox-camera.ts";
import { installedChromium, installedFirefox } from "./installed.mjs";

export type BrowserKind = "chromium" | "firefox";

export interface BrowserOptions {
  /** "none" = a computer without a camera, for Chromium only; without it the browser's own test picture. */
  camera?: Camera | "none";
  /** What the person says when asked for the camera. */
  allow?: boolean;
  dark?: boolean;
  width?: number;
  height?: number;
  scale?: number;
  /** Firefox's preferences (about:config) beside those that every test has. */
  firefoxPreferences?: Record<string, boolean | number | string>;
}

export async function openBrowser(
  kind: BrowserKind,
  options: BrowserOptions,
): Promise<{ browser: Browser; context: BrowserContext }> {
  const browser = await (kind === "firefox" ? launchFirefox(options) : launchChromium(options));
  const context = await browser.newContext({
    colorScheme: options.dark === true ? "dark" : "light",
    viewport: { width: options.width ?? 1280, height: options.height ?? 900 },
    deviceScaleFactor: options.scale ?? 1,
  });
  const { camera } = options;
  if (kind === "firefox" && typeof camera === "object") await showInFirefox(context, camera);
  return { browser, context };
}

function launchChromium({ camera, allow = true }: BrowserOptions): Promise<Browser> {
  const fake = camera === "none" ? "=device-count=0" : "=fps=30";
  return chromium.launch(
    installedChromium([
      `--use-fake-device-for-media-stream${fake}`,
      ...(allow ? ["--use-fake-ui-for-media-stream"] : []),
      ...(typeof camera === "object" ? [`--use-file-for-fake-video-capture=${camera.y4m}`] : []),
    ]),
  );
}

function launchFirefox({ camera, allow = true, dark, firefoxPreferences }: BrowserOptions): Promise<Browser> {
  if (camera === "none") throw new Error("Firefox cannot be made to find no camera");
  return firefox.launch(
    installedFirefox({
      // As when a person has said so for good: 1 = allow, 2 = block.
      "permissions.default.camera": allow ? 1 : 2,
      // By preference, as BiDi has no command for it yet: 0 = dark, 1 = light.
      "layout.css.prefers-color-scheme.content-override": dark === true ? 0 : 1,
      ...firefoxPreferences,
    }),
  );
}
