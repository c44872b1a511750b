// What every test has: servers, VLMs, cameras and people. All are gone when it ends.
import { test as base, expect } from "@playwright/test";
import { type BrowserKind, Browsers } from "./browsers.ts";
import { Cable } from "./cable.ts";
import { Cameras } from "./cameras.ts";
import { ScriptedVlm, type ScriptedVlmOptions } from "./scripted-vlm.ts";
import { Server, type ServerOptions, startDemoVlm } from "./server.ts";
import { Viewer, type ViewerOptions } from "./viewer.ts";

interface TestParts {
  startVlm(options?: ScriptedVlmOptions): Promise<ScriptedVlm>;
  /** The binary's own demo-vlm as a program of its own; gives its address. */
  startDemoVlm(...args: string[]): Promise<string>;
  startServer(options?: ServerOptions): Promise<Server>;
  /** A way to the server that can be cut. */
  layCable(server: Server): Promise<Cable>;
  /** Somebody with a browser; nothing in its console may go wrong. */
  viewer(options?: ViewerOptions): Promise<Viewer>;
}

export interface WorkerParts {
  /** Which browser people come with: each project of playwright.config.ts has one. */
  kind: BrowserKind;
  browsers: Browsers;
  cameras: Cameras;
}

/**
 * What a person mainly does, and what goes by code of the browser that others do otherwise: such
 * tests run in Firefox each time, the others only by `npm run firefox`.
 */
export const MAIN = { tag: "@main" };

export const test = base.extend<TestParts, WorkerParts>({
  kind: ["chromium", { scope: "worker", option: true }],

  browsers: [
    async ({ kind }, use) => {
      const browsers = new Browsers(kind);
      await use(browsers);
      await browsers.close();
    },
    { scope: "worker" },
  ],

  cameras: [
    async ({}, use) => {
      const cameras = await Cameras.make();
      await use(cameras);
      await cameras.remove();
    },
    { scope: "worker" },
  ],

  startVlm: async ({}, use) => {
    const vlms: ScriptedVlm[] = [];
    await use(async (options) => {
      const vlm = await ScriptedVlm.start(options);
      vlms.push(vlm);
      return vlm;
    });
    for (const vlm of vlms) await vlm.stop();
  },

  startDemoVlm: async ({}, use) => {
    const stops: (() => Promise<void>)[] = [];
    await use(async (...args) => {
      const { program, apiBase } = await startDemoVlm(args);
      stops.push(() => program.stop());
      return apiBase;
    });
    for (const stop of stops) await stop();
  },

  startServer: async ({ startVlm: _vlmsEndLater, startDemoVlm: _demosEndLater }, use, info) => {
    const servers: Server[] = [];
    await use(async (options) => {
      const server = await Server.start(options);
      servers.push(server);
      return server;
    });
    for (const server of servers) {
      await server.stop();
      if (info.status !== info.expectedStatus) {
        await info.attach("server log", { body: server.log, contentType: "text/plain" });
      }
      expect(server.log).not.toMatch(/panicked|CRITICAL|ERROR/);
    }
  },

  layCable: async ({ startServer: _serversEndLater }, use) => {
    const cables: Cable[] = [];
    await use(async (server) => {
      const cable = await Cable.to(server);
      cables.push(cable);
      return cable;
    });
    for (const cable of cables) await cable.remove();
  },

  viewer: async ({ layCable: _cablesEndLater, kind, browsers }, use) => {
    const viewers: Viewer[] = [];
    await use(async (options) => {
      const viewer = await Viewer.start(kind, browsers, options);
      viewers.push(viewer);
      return viewer;
    });
    for (const viewer of viewers) await viewer.leave(browsers);
    expect(viewers.flatMap((viewer) => viewer.complaints)).toEqual([]);
  },
});

export { expect };
