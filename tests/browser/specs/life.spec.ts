// What the page makes of a video or a connection that does not go on.
import { expect, test } from "../support/test.ts";

test("a camera from which no picture comes is waited for, and said to be", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.context.addInitScript(() => {
    const Real = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Real {
      constructor(configuration?: RTCConfiguration) {
        super(configuration);
        Object.assign(window, { connection: this });
      }
    };
  });
  /** Nothing is sent while it is covered; the connection stays. */
  const cover = (covered: boolean) =>
    person.page.evaluate(async (covered) => {
      const [sender] = ((window as any).connection as RTCPeerConnection).getSenders();
      const parameters = sender?.getParameters();
      for (const encoding of parameters?.encodings ?? []) encoding.active = !covered;
      if (parameters !== undefined) await sender?.setParameters(parameters);
    }, covered);
  await person.visit(server);
  await person.play();
  await person.readAnswers(1);
  const states = await person.watchStates();
  await cover(true);
  await expect(person.connection).toHaveText("Waiting for a picture…");
  const waited = (await states())[1]?.at ?? 0;
  expect(waited).toBeGreaterThan(2);
  expect(waited).toBeLessThan(7);
  await cover(false);
  await expect(person.connection).toHaveText("Live");
  await person.readAnswers(1);
});

test("video that never reaches the server is not called lost, and what to do is said soon", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  person.expectComplaint(/ICE failed/);
  await person.blockVideo();
  await person.visit(server);
  const states = await person.watchStates();
  await person.playButton.click();
  const began = Date.now();
  await expect(person.problem).toContainText("A firewall between you and it may be blocking UDP.");
  expect(Date.now() - began).toBeLessThan(6000);
  // Counted down while it is waited, and gone while it is tried.
  await expect(person.problem).toContainText(/Trying again in \d+ s\./, { timeout: 30_000 });
  await expect(person.problem).not.toContainText("Trying again");
  await expect(person.problem).toContainText("A firewall between you and it");
  for (const { words } of await states()) {
    expect(words).toMatch(/^(Ready|Waiting for the camera…|Connecting…)$/);
  }
  await person.stop();
  await expect(person.problem).toBeHidden();
});

test("offers that are refused for being too many are made again when they may be", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  person.expectComplaint(/429/);
  await person.visit(server);
  let refused = 0;
  await person.page.route("**/offer", (route) => {
    if (refused++ > 0) return route.continue();
    return route.fulfill({
      status: 429,
      contentType: "application/json",
      body: JSON.stringify({
        type: "error",
        code: "limit_reached",
        field: null,
        message: "you may begin 60 videos a minute; the next one has to wait",
        allowed: null,
        retry_after_s: 3,
        limit: "offers_per_minute",
        value: 60,
      }),
    });
  });
  await person.playButton.click();
  for (const seconds of [3, 2, 1]) {
    await expect(person.problem).toHaveText(
      `You may begin 60 videos a minute; the next one has to wait. Trying again in ${seconds} s.`,
    );
  }
  await expect(person.connection).toHaveText("Live");
  await expect(person.problem).toBeHidden();
  expect(refused).toBe(2);
});
