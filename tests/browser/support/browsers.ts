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

/** How many wait for somebody who wants the like. */
const MOST_IDLE = 2;

/**
 * The browsers of one worker. Starting one takes as long as many a test, so whoever leaves one open
 * leaves it to the next person who wants the like; cookies, permissions and all that a page stores
 * are of its context, which everybody has of their own.
 */
export class Browsers {
  readonly #kind: BrowserKind;
  /** The one that was left last at the end. */
  #idle: { browser: Browser; like: string }[] = [];

  constructor(kind: BrowserKind) {
    this.#kind = kind;
  }

  /** A browser that nobody else has, and a context in it. To be given to `putBack` in the end. */
  async open(options: BrowserOptions): Promise<BrowserContext> {
    const browser = this.#takeIdle(this.#like(options)) ?? (await this.#launch(options));
    const context = await browser.newContext({
      colorScheme: options.dark === true ? "dark" : "light",
      viewport: { width: options.width ?? 1280, height: options.height ?? 900 },
      deviceScaleFactor: options.scale ?? 1,
    });
    const { camera } = options;
    if (this.#kind === "firefox" && typeof camera === "object") await showInFirefox(context, camera);
    return context;
  }

  /** Closes the context that `open` gave for these options, and keeps its browser. */
  async putBack(context: BrowserContext, options: BrowserOptions): Promise<void> {
    const browser = context.browser();
    if (browser === null || !browser.isConnected()) return;
    await Promise.all(browser.contexts().map((context) => context.close()));
    this.#idle.push({ browser, like: this.#like(options) });
    if (this.#idle.length > MOST_IDLE) await this.#idle.shift()?.browser.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.map(({ browser }) => browser.close()));
    this.#idle = [];
  }

  /** Not one that has crashed meanwhile. */
  #takeIdle(wanted: string): Browser | undefined {
    this.#idle = this.#idle.filter(({ browser }) => browser.isConnected());
    const at = this.#idle.findLastIndex(({ like }) => like === wanted);
    return at < 0 ? undefined : this.#idle.splice(at, 1)[0]?.browser;
  }

  #launch(options: BrowserOptions): Promise<Browser> {
    return this.#kind === "firefox" ? launchFirefox(options) : launchChromium(options);
  }

  /** What a browser cannot change any more once it runs. */
  #like({ camera, allow = true, dark = false, firefoxPreferences = {} }: BrowserOptions): string {
    if (this.#kind === "firefox") return JSON.stringify([allow, dark, firefoxPreferences]);
    return JSON.stringify([allow, typeof camera === "object" ? camera.y4m : camera]);
  }
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
