// Chromium with a window that can be minimized. Playwright's own pages count as seen always.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "@playwright/test";
import type { Camera } from "./cameras.ts";
import { installedChromium } from "./installed.mjs";

export interface Hideable {
  page: Page;
  /** Minimizes its window. */
  hide(): Promise<void>;
  close(): Promise<void>;
}

export async function openHideable(camera: Camera): Promise<Hideable> {
  const profile = await mkdtemp(join(tmpdir(), "live-vlm-chromium-"));
  const { executablePath = chromium.executablePath(), args } = installedChromium([
    "--headless",
    "--no-sandbox",
    "--remote-debugging-port=0",
    `--user-data-dir=${profile}`,
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=fps=30",
    `--use-file-for-fake-video-capture=${camera.y4m}`,
  ]);
  const program = spawn(executablePath, args, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((resolve) => program.once("exit", resolve));
  const endpoint = await new Promise<string>((resolve, reject) => {
    let said = "";
    program.stderr.on("data", (more) => {
      said += more;
      const found = /listening on (ws:\S+)/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    program.once("exit", () => reject(new Error(`Chromium did not start: ${said}`)));
  });
  // Without what Playwright changes in pages otherwise. Its types leave the option out.
  const options = { noDefaults: true };
  const browser = await chromium.connectOverCDP(endpoint, options);
  const context = browser.contexts()[0];
  if (context === undefined) throw new Error("Chromium has no window");
  const page = await context.newPage();
  return {
    page,
    async hide() {
      const session = await context.newCDPSession(page);
      const { windowId } = await session.send("Browser.getWindowForTarget");
      await session.send("Browser.setWindowBounds", { windowId, bounds: { windowState: "minimized" } });
    },
    async close() {
      await browser.close();
      program.kill();
      await ended;
      await rm(profile, { recursive: true, force: true });
    },
  };
}
