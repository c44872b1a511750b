import { expect, test } from "../support/test.ts";

test("a page that waits is sent a sign of life now and then, and nothing else", async ({ startServer, startVlm, viewer, cameras }) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer({ camera: await cameras.flat("green") });
  await person.visit(server);
  await person.set("interval", 60);
  await person.play();
  // The only one, which may be there already.
  await expect.poll(() => person.answers.length).toBe(1);

  const received = person.received.length;
  const sent = person.sent.length;
  // For as long as 200 frames of the camera take: six seconds in which others send 200 messages.
  const ms = await person.page.getByTestId("preview").evaluate(
    (video: HTMLVideoElement) =>
      new Promise<number>((resolve) => {
        const began = performance.now();
        let frames = 0;
        const next = () => {
          frames++;
          if (frames === 200) resolve(performance.now() - began);
          else video.requestVideoFrameCallback(next);
        };
        video.requestVideoFrameCallback(next);
      }),
  );
  const messages = person.received.slice(received);
  console.log(`messages to a page that waits: ${messages.length} in ${(ms / 1000).toFixed(1)} s`);
  // One every five seconds.
  expect(new Set(messages)).toEqual(new Set(['{"type":"alive"}']));
  expect(messages.length).toBeLessThanOrEqual(Math.ceil(ms / 5000));
  expect(person.sent.length - sent).toBe(0);
  expect(vlm.questions.length).toBe(1);
  await expect(person.connection).toHaveText("Live");
});
