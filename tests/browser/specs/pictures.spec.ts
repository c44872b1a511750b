// Pictures by the WebSocket, in place of video.
import { expect, MAIN, test } from "../support/test.ts";
import type { Viewer } from "../support/viewer.ts";

const INSTEAD = "Video does not get through. The page sends pictures instead.";

/** The numbers of the complete answers, all of which must have gone well. */
function answered(person: Viewer): number[] {
  expect(person.messages("vlm_error")).toEqual([]);
  // A picture may be on its way when video takes its place.
  expect(person.messages("error").filter(({ code }) => code !== "unasked")).toEqual([]);
  return person.messages("vlm_response").map(({ seq, metrics }) => {
    expect((metrics as { finish_reason: string }).finish_reason).toBe("stop");
    return Number(seq);
  });
}

test("where no UDP gets through, answers come by pictures, and the page says so", MAIN, async ({
  startServer,
  startVlm,
  viewer,
  cameras,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer({ camera: await cameras.flat("yellow") });
  await person.blockVideo();
  await person.visit(server);
  await person.playButton.click();
  await person.readAnswers(3);
  await expect(person.connection).toHaveText("Live");
  await expect(person.problem).toHaveText(INSTEAD);
  expect(vlm.questions.at(-1)).toMatchObject({ colour: "yellow", width: 640, height: 480 });
  expect(new Set(vlm.questions.map(({ digest }) => digest)).size).toBe(vlm.questions.length);

  // The next time it is known.
  await person.stop();
  await expect(person.problem).toBeHidden();
  const began = Date.now();
  await person.play();
  await person.readAnswers(1);
  expect(Date.now() - began).toBeLessThan(4000);
  expect(answered(person).length).toBeGreaterThan(3);
});

test("who wants pictures sends no video at all", async ({ startServer, startVlm, viewer, cameras }) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer({ camera: await cameras.flat("red") });
  await person.visit(server);
  await person.send("pictures");
  // It is remembered.
  await person.visit(server);
  await person.page.evaluate(() => {
    window.RTCPeerConnection = class {
      constructor() {
        throw new Error("a connection was made");
      }
    } as any;
  });
  await person.play();
  await person.readAnswers(3);
  await expect(person.problem).toBeHidden();
  expect(vlm.questions.at(-1)).toMatchObject({ colour: "red", width: 640, height: 480 });
});

test("no answer is lost when the page changes between video and pictures", MAIN, async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm({ latencyMs: 600 });
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.visit(server);
  await person.play();
  await person.readAnswers(2);
  const states = await person.watchStates();
  for (const send of ["pictures", "video", "pictures", "automatic"] as const) {
    const asked = vlm.questions.length;
    await expect.poll(() => vlm.questions.length).toBeGreaterThan(asked);
    // While its answer is being written.
    await person.send(send);
    await person.readAnswers(3);
  }
  const seqs = answered(person);
  expect(seqs).toEqual(seqs.map((_, at) => (seqs[0] ?? 0) + at));
  expect(vlm.questions.length - seqs.length).toBeLessThanOrEqual(1);
  expect((await states()).map(({ words }) => words)).toEqual(["Live"]);
});

test("video comes back when the network has changed to one through which it gets", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.blockVideo();
  await person.visit(server);
  await person.playButton.click();
  await person.readAnswers(1);
  await expect(person.problem).toHaveText(INSTEAD);
  await person.page.evaluate(() => {
    window.RTCPeerConnection = Object.getPrototypeOf(window.RTCPeerConnection);
    dispatchEvent(new Event("online"));
  });
  await expect(person.problem).toBeHidden();
  await expect(person.connection).toHaveText("Live");
  await person.readAnswers(2);
});
