// What the page makes of a video or a connection that does not go on.
import { expect, test } from "../support/test.ts";

/** What closing a connection that has not opened yet makes a browser say. */
const CLOSED_EARLY = /WebSocket is closed before|can’t establish a connection|was interrupted/;

test("a connection that has died is noticed in time, and nothing is Live until it is replaced", async ({
  startServer,
  startVlm,
  layCable,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const cable = await layCable(server);
  const person = await viewer();
  person.expectComplaint(CLOSED_EARLY);
  await person.visit(cable);
  await person.ask("Is the door open?");
  await person.play();
  await person.readAnswers(2);

  const states = await person.watchStates();
  cable.loseAll();
  await person.readAnswers(1);
  const told = await states();
  expect(told.map(({ words }) => words).slice(0, 3)).toEqual([
    "Live",
    "Waiting for the server…",
    "The connection was lost. Connecting again…",
  ]);
  expect(told[1]?.at).toBeLessThan(8);
  expect(told[2]?.at).toBeLessThan(14);
  await expect(person.connection).toHaveText("Live");
  expect(person.messages("vlm_response").at(-1)).toMatchObject({ prompt: "Is the door open?" });
  await expect(person.problem).toBeHidden();
});

test("a device that wakes from sleep connects anew at once, whichever of its clocks stood still", async ({
  startServer,
  startVlm,
  layCable,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const cable = await layCable(server);
  const person = await viewer();
  person.expectComplaint(CLOSED_EARLY);
  await person.canSetClocks();
  await person.visit(cable);
  await person.play();
  await person.readAnswers(1);
  const hour = 3_600_000;
  for (const clocks of [
    { wall: hour, monotonic: 0 },
    { wall: 2 * hour, monotonic: hour },
  ]) {
    const sockets = person.sessionIds.length;
    cable.loseAll();
    await person.page.evaluate((ahead) => Object.assign((window as any).clocks, ahead), clocks);
    const began = Date.now();
    await person.readAnswers(1);
    expect(Date.now() - began).toBeLessThan(5000);
    expect(person.sessionIds.length).toBe(sockets + 1);
    await expect(person.connection).toHaveText("Live");
  }
  // A clock that is set back is nobody's sleep.
  const states = await person.watchStates();
  await person.page.evaluate(() => Object.assign((window as any).clocks, { wall: -3_600_000 }));
  await person.readAnswers(3);
  expect((await states()).map(({ words }) => words)).toEqual(["Live"]);
});

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
