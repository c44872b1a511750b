// Browsers that cannot run the page, or cannot send video, and what it says to them.
import { expect, MAIN, test } from "../support/test.ts";

test("a browser without WebRTC is told what it lacks", MAIN, async ({ startServer, viewer, kind }) => {
  const server = await startServer();
  const person = await viewer({ firefoxPreferences: { "media.peerconnection.enabled": false } });
  if (kind === "chromium") {
    // It has no switch for it.
    await person.context.addInitScript(() => Reflect.deleteProperty(window, "RTCPeerConnection"));
  }
  await person.visit(server);
  await expect(person.problem).toContainText("by WebRTC. This browser does not have it");
  await expect(person.problem).toContainText("open this page in another browser");
  await expect(person.playButton).toBeDisabled();
});

test("a browser that makes no connection says why, and the camera is off again", async ({
  startServer,
  viewer,
}) => {
  const server = await startServer();
  const person = await viewer();
  await person.context.addInitScript(() => {
    window.RTCPeerConnection = class {
      constructor() {
        throw new TypeError("an extension forbids it");
      }
    } as unknown as typeof RTCPeerConnection;
  });
  await person.visit(server);
  await person.playButton.click();
  await expect(person.problem).toHaveText("This browser cannot send video: an extension forbids it.");
  await expect(person.playButton).toHaveText("Play");
  await expect(person.connection).toHaveText("Ready");
  const preview = person.page.getByTestId("preview");
  expect(await preview.evaluate((video: HTMLVideoElement) => video.srcObject)).toBeNull();
});

for (const [trouble, script] of [
  ["does not load", null],
  ["does not run", "const = 1;"],
] as const) {
  test(`a page whose script ${trouble} says so`, async ({ startServer, viewer }) => {
    const server = await startServer();
    const person = await viewer();
    person.expectComplaint(/Failed to load resource|uncaught/);
    await person.page.route("**/page.js", (route) =>
      script === null
        ? route.fulfill({ status: 404 })
        : route.fulfill({ contentType: "text/javascript", body: script }),
    );
    await person.page.goto(server.url);
    const notice = person.page.getByTestId("unstarted");
    // Not before the script has had its time.
    await expect(notice).toBeHidden();
    await expect(notice).toBeVisible();
    await expect(notice).toContainText("Its script did not load, or it does not run in this browser.");
    await expect(person.connection).toBeHidden();

    await person.page.unroute("**/page.js");
    await person.visit(server);
    await expect(notice).toHaveCount(0);
  });
}

test("a browser without JavaScript is told to allow it", async ({ startServer, viewer, kind }) => {
  test.skip(kind === "firefox", "without JavaScript Playwright sees nothing of a page in Firefox");
  const server = await startServer();
  const person = await viewer();
  const context = await person.context.browser()?.newContext({ javaScriptEnabled: false });
  const page = await context?.newPage();
  if (page === undefined) throw new Error("no page");
  await page.goto(server.url);
  await expect(page.getByTestId("no-script")).toContainText("This page needs JavaScript");
  // Long enough for the script that never comes.
  await expect(page.getByTestId("unstarted")).toBeHidden();
  await expect(page.getByTestId("connection")).toBeHidden();
});
