// Connections that die without a word, and what the page makes of it.
import type { BrowserContext } from "@playwright/test";
import { expect, MAIN, test } from "../support/test.ts";

/** What closing a connection that has not opened yet makes a browser say. */
const CLOSED_EARLY = /WebSocket is closed before|can’t establish a connection|was interrupted/;

/** What the page says when nothing has come from the server for 6 s. */
const QUIET = "Waiting for the server…";

/**
 * The statistics of connections stand still while `window.deaf` is set, except for what is sent: all
 * of it gets lost.
 */
async function canBeDeafened(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const real = RTCPeerConnection.prototype.getStats;
    let last: Promise<RTCStatsReport> | null = null;
    RTCPeerConnection.prototype.getStats = function () {
      if (last === null || !(window as any).deaf || (last as any).of !== this) {
        last = real.call(this);
        (last as any).of = this;
        return last;
      }
      last = last.then((reports) => {
        const later = new Map();
        reports.forEach((report, id) => {
          later.set(id, { ...report, packetsSent: (report.packetsSent ?? 0) + 1 });
        });
        return later as unknown as RTCStatsReport;
      });
      (last as any).of = this;
      return last;
    };
  });
}

test("a connection that has died is noticed in time, and nothing is Live until it is replaced", MAIN, async ({
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
  // So rarely does the server want frames that only its signs of life are missed.
  await person.set("interval", 5);
  await person.ask("Is the door open?");
  await person.play();
  await person.readAnswers(2);

  const states = await person.watchStates();
  cable.loseAll();
  await person.readAnswers(1);
  const told = await states();
  expect(told.map(({ words }) => words).slice(0, 3)).toEqual([
    "Live",
    QUIET,
    "The connection was lost. Connecting again…",
  ]);
  expect(told[1]?.at).toBeLessThan(8);
  expect(told[2]?.at).toBeLessThan(14);
  await expect(person.connection).toHaveText("Live");
  expect(person.messages("vlm_response").at(-1)).toMatchObject({ prompt: "Is the door open?" });
  await expect(person.problem).toBeHidden();
});

test("a server that wants no frames any more is found dead within seconds", MAIN, async ({
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
  await person.play();
  await person.readAnswers(3);

  const states = await person.watchStates();
  cable.loseAll();
  await person.readAnswers(1);
  const told = await states();
  expect(told[1]?.words).toBe("The connection was lost. Connecting again…");
  expect(told[1]?.at).toBeLessThan(5);
});

test("when the network has changed, answers are back at once", MAIN, async ({
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
  await person.play();
  await person.readAnswers(2);
  const states = await person.watchStates();
  const offers = () => person.messages("status").filter(({ status }) => status === "Connecting");
  const before = offers().length;

  cable.loseAll();
  await person.page.evaluate(() => dispatchEvent(new Event("online")));
  await person.readAnswers(1);
  expect(offers().length).toBe(before + 1);
  // Not by its silence.
  const told = (await states()).map(({ words }) => words);
  expect(told).toContain("The network has changed. Connecting again…");
  expect(told).not.toContain(QUIET);
  await expect(person.connection).toHaveText("Live");
});

test("a network that changes without a word is noticed by what does not come any more", async ({
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
  await canBeDeafened(person.context);
  await person.visit(cable);
  await person.play();
  await person.readAnswers(2);

  const states = await person.watchStates();
  const asked = () => person.sent.filter((text) => text === '{"type":"alive"}').length;
  const before = asked();
  cable.loseAll();
  await person.page.evaluate(() => Object.assign(window, { deaf: true }));
  await person.readAnswers(1);
  // Long before the server's silence alone says so: a sign of life was asked for, and did not come.
  expect(asked()).toBeGreaterThan(before);
  const told = (await states()).map(({ words }) => words);
  expect(told).toContain("The connection was lost. Connecting again…");
  expect(told).not.toContain(QUIET);
  await person.page.evaluate(() => Object.assign(window, { deaf: false }));
  await expect(person.connection).toHaveText("Live");
});

test("doubt alone disturbs nothing: the server says that it is there", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await canBeDeafened(person.context);
  await person.visit(server);
  await person.play();
  await person.readAnswers(1);
  const states = await person.watchStates();
  const asked = () => person.sent.filter((text) => text === '{"type":"alive"}').length;
  await person.page.evaluate(() => Object.assign(window, { deaf: true }));
  // Chromium tells of a new estimate of speed like this.
  await person.page.evaluate(() => {
    const { connection } = navigator as { connection?: EventTarget };
    connection?.dispatchEvent(new Event("change"));
  });
  await expect.poll(asked).toBeGreaterThan(2);
  await expect.poll(() => person.messages("alive").length).toBeGreaterThan(2);
  expect((await states()).map(({ words }) => words)).toEqual(["Live"]);
  expect(person.sessionIds.length).toBe(1);
});

test("an outage is over for the page a moment after it is over", MAIN, async ({
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
  await person.play();
  await person.readAnswers(1);
  const sockets = person.sessionIds.length;
  cable.cut();
  await person.page.evaluate(() => dispatchEvent(new Event("online")));
  // Several tries come to nothing.
  const before = cable.connections;
  await expect.poll(() => cable.connections - before, { timeout: 30_000 }).toBeGreaterThan(2);
  // Not of WebSockets, which Firefox lets wait ever longer.
  expect(person.sessionIds.length).toBe(sockets + 1);
  await expect(person.connection).toHaveText("The server does not answer. Trying again…");
  cable.mend();
  const began = Date.now();
  await person.readAnswers(1);
  // At the latest with the next try, as this cable loses those that began before: that is 2.5 s
  // later, and not the 8 s of one that is patient.
  expect(Date.now() - began).toBeLessThan(7500);
  await expect(person.connection).toHaveText("Live");
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
    const states = await person.watchStates();
    await person.page.evaluate((ahead) => Object.assign((window as any).clocks, ahead), clocks);
    await person.readAnswers(1);
    expect((await states()).map(({ words }) => words)).not.toContain(QUIET);
    expect(person.sessionIds.length).toBe(sockets + 1);
    await expect(person.connection).toHaveText("Live");
  }
  // A clock that is set back is nobody's sleep.
  const states = await person.watchStates();
  await person.page.evaluate(() => Object.assign((window as any).clocks, { wall: -3_600_000 }));
  await person.readAnswers(3);
  expect((await states()).map(({ words }) => words)).toEqual(["Live"]);
});

test("a network that keeps changing is followed ever more seldom, and the page says so", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  person.expectComplaint(CLOSED_EARLY);
  await person.visit(server);
  await person.play();
  await person.readAnswers(1);
  const before = person.sessionIds.length;
  await person.page.evaluate(() => {
    setInterval(() => dispatchEvent(new Event("online")), 50);
  });
  await expect(person.problem).toContainText("The network of this device keeps changing.");
  await expect(person.problem).toContainText(/Trying again in \d s\./);
  // At once, after 2 s and after 4 s more.
  expect(person.sessionIds.length - before).toBeLessThanOrEqual(3);
  await person.readAnswers(1);
});

test("a camera from which no picture comes is waited for, and said to be", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.keepConnection();
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
  await expect(person.page.getByTestId("answer-age")).toHaveText(/^last answer \d+ s ago$/);
  await cover(false);
  await expect(person.connection).toHaveText("Live");
  await person.readAnswers(1);
  await expect(person.page.getByTestId("answer-age")).toBeHidden();
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
  await person.send("video");
  const states = await person.watchStates();
  await person.playButton.click();
  // Long before the browser itself gives up.
  await expect(person.problem).toContainText("A firewall between you and it may be blocking UDP.", {
    timeout: 10_000,
  });
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

test("the age of the newest answer is shown when it grows", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.visit(server);
  await person.play();
  await person.readAnswers(1);
  const age = person.page.getByTestId("answer-age");
  await expect(age).toBeHidden();
  vlm.fail(500);
  for (const seconds of [5, 6, 7]) await expect(age).toHaveText(`last answer ${seconds} s ago`);
  // Meanwhile the next try is counted down to.
  for (const seconds of [3, 2, 1]) {
    await expect(person.answer).toContainText(`Trying again in ${seconds} s.`);
  }
  vlm.recover();
  await expect(age).toBeHidden();
  await person.stop();
  await expect(age).toBeHidden();
});
