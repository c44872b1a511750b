import { expect, test } from "../support/test.ts";

test("a page that waits is sent nothing", async ({ startServer, startVlm, viewer, cameras }) => {
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
  // For as long as 150 frames of the camera take: five seconds in which others send 150 messages.
  const ms = await person.page.getByTestId("preview").evaluate(
    (video: HTMLVideoElement) =>
      new Promise<number>((resolve) => {
        const began = performance.now();
        let frames = 0;
        const next = () => {
          frames++;
          if (frames === 150) resolve(performance.now() - began);
          else video.requestVideoFrameCallback(next);
        };
        video.requestVideoFrameCallback(next);
      }),
  );
  const messages = person.received.length - received;
  console.log(`messages to a page that waits: ${messages} in ${(ms / 1000).toFixed(1)} s`);
  expect(messages).toBe(0);
  expect(person.sent.length - sent).toBe(0);
  expect(vlm.questions.length).toBe(1);
  await expect(person.connection).toHaveText("Live");
});
