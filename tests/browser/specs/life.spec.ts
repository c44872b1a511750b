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
