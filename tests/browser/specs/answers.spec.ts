import type { Page } from "@playwright/test";
import { expect, MAIN, test } from "../support/test.ts";

test("a person presses play and reads what is true of a real video", MAIN, async ({
  startServer,
  viewer,
  cameras,
}) => {
  const server = await startServer();
  const person = await viewer({ camera: await cameras.clip() });
  await person.visit(server);
  await expect(person.page.getByTestId("stand-in-notice")).toBeVisible();
  // Time to read each answer before the next one begins.
  await person.set("interval", 3);
  await person.play();
  await expect(person.answer).toHaveAttribute("data-state", "writing");
  await expect(person.answer).toHaveAttribute("data-state", "done");
  await expect(person.answer).toContainText("The picture is 640 by 360 pixels");
  // A meadow in the sun with a grey rabbit: neither flat nor dark, and it moves.
  await expect(person.answer).toContainText(/green|grey/);
  await expect(person.answer).toContainText("It is sharp.");
  await person.readAnswers(1);
  await expect(person.answer).toContainText(/has changed since the last picture/);
  await expect(person.page.getByTestId("history").getByRole("listitem").first()).toBeVisible();
  // It came word by word, not at once.
  expect(person.messages("answer_delta").length).toBeGreaterThan(5);
});

test("the first answer comes soon after play", async ({ startServer, startDemoVlm, viewer, cameras }) => {
  const apiBase = await startDemoVlm("--latency", "500");
  const server = await startServer({ apiBase });
  const person = await viewer({ camera: await cameras.flat("green") });
  const plays: { token: number; answer: number }[] = [];
  for (let play = 0; play < 6; play++) {
    // Everybody who comes has a new session; only the server is warm.
    await person.visit(server);
    await person.play();
    await person.page.waitForFunction(
      () => performance.getEntriesByName("first-answer", "mark").length > 0,
    );
    if (play > 0) plays.push(await firstTimes(person.page));
    await person.stop();
  }
  const token = median(plays.map((play) => play.token));
  const answer = median(plays.map((play) => play.answer));
  const all = plays.map((play) => play.answer).join(", ");
  console.log(`first answer after play: ${answer} ms (first token ${token} ms; plays: ${all})`);
  expect(answer).toBeLessThan(5000);
});

test("the picture has its full size from the first answer on", async ({
  startServer,
  startVlm,
  viewer,
  cameras,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer({ camera: await cameras.flat("green") });
  await person.visit(server);
  for (let play = 0; play < 2; play++) {
    await person.play();
    await person.readAnswers(3);
    await person.stop();
  }
  const sizes = vlm.questions.map(({ width, height }) => `${width} by ${height}`);
  expect(new Set(sizes)).toEqual(new Set(["640 by 480"]));
});

test("the rate of whole video is low until the server has a picture, and then full", MAIN, async ({
  startServer,
  startVlm,
  viewer,
  kind,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.keepConnection();
  const rate = () =>
    person.page.evaluate(() => {
      const [sender] = ((window as any).connection as RTCPeerConnection).getSenders();
      return sender?.getParameters().encodings[0]?.maxBitrate;
    });
  await person.visit(server);
  // Of single frames the rate bounds the size.
  await person.set("interval", 0.2);
  const rates = await watchRates(person.page);
  await person.play();
  await person.readAnswers(1);
  if (kind === "chromium") expect((await rates())[0]).toBe(100_000);
  await expect.poll(rate).toBe(1_500_000);
});

/** The rates that are set from now on, but for those of single frames, which have another bound too. */
async function watchRates(page: Page): Promise<() => Promise<number[]>> {
  await page.evaluate(() => {
    const rates: unknown[] = [];
    Object.assign(window, { rates });
    const real = RTCRtpSender.prototype.setParameters;
    RTCRtpSender.prototype.setParameters = function (parameters, ...more) {
      const [encoding] = parameters.encodings;
      if (encoding?.maxFramerate === undefined) rates.push(encoding?.maxBitrate);
      return real.call(this, parameters, ...more);
    };
  });
  return () => page.evaluate(() => (window as any).rates);
}

/** In ms after Play was pressed, by the page's own marks. */
function firstTimes(page: Page): Promise<{ token: number; answer: number }> {
  return page.evaluate(() => {
    const at = (name: string) =>
      performance.getEntriesByName(name, "mark")[0]?.startTime ?? Number.NaN;
    const since = (name: string) => Math.round(at(name) - at("play"));
    return { token: since("first-token"), answer: since("first-answer") };
  });
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
