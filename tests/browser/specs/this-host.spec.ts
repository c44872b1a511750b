import { expect, MAIN, test } from "../support/test.ts";

// Firefox sends nothing to 127.0.0.1, and no preference is set here that makes it.
test("a browser on this host plays to a server for this host alone", MAIN, async ({
  startServer,
  startVlm,
  viewer,
  cameras,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  expect(new URL(server.url).hostname).toBe("127.0.0.1");
  const person = await viewer({ camera: await cameras.flat("blue") });
  await person.visit(server);
  await person.play();
  // Loopback, and one address more.
  expect((await server.held()).udpSockets).toBe(2);
  await person.readAnswers(2);
  await expect(person.answer).toContainText("sees blue, 640 by 480");
  await expect(person.problem).toBeHidden();
});
