import type { Locator } from "@playwright/test";
import { expect, MAIN, test } from "../support/test.ts";

test("stop frees the video, and play works again, ten times in a row", MAIN, async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.visit(server);
  const udpSockets = async () => (await server.held()).udpSockets;
  const threads = async () => (await server.held()).threads;
  expect(await udpSockets()).toBe(0);
  let idle = 0;
  for (let round = 1; round <= 10; round++) {
    await person.play();
    expect(await udpSockets()).toBeGreaterThan(0);
    await person.readAnswers(1);
    await person.stop();
    await expect.poll(udpSockets).toBe(0);
    // The first video leaves behind what the process keeps for the next ones.
    if (round === 1) idle = await threads();
  }
  // GLib keeps idle threads for 15 s, in newer versions more of them.
  await expect.poll(threads, { timeout: 30_000 }).toBeLessThanOrEqual(idle);
  await expect(person.connection).toHaveText("Ready");
  const asked = vlm.questions.length;
  // Nothing is asked about a video that is gone.
  await person.ask("Anything new?");
  expect(vlm.questions.length).toBe(asked);
});

test("only the keyboard is needed to play, to ask and to stop", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.visit(server);
  const { keyboard } = person.page;
  const tabTo = async (control: Locator) => {
    await expect(async () => {
      await keyboard.press("Tab");
      await expect(control).toBeFocused({ timeout: 1 });
    }).toPass({ intervals: [0] });
  };
  const preset = person.page.getByRole("button", { name: "Describe" });

  await tabTo(person.playButton);
  await keyboard.press("Enter");
  await expect(person.connection).toHaveText("Live");
  await expect(person.playButton).toBeFocused();
  await tabTo(person.prompt);
  await keyboard.press("ControlOrMeta+a");
  await keyboard.type("Is the kettle on?");
  await keyboard.press("Control+Enter");
  await expect(person.answer).toContainText("Is the kettle on?");
  await expect(person.prompt).toBeFocused();
  await tabTo(preset);
  await keyboard.press("Space");
  await expect(preset).toHaveAttribute("aria-pressed", "true");
  await expect.poll(() => vlm.questions.at(-1)?.prompt).toContain("Describe what you see");
  await keyboard.press("Shift+Tab");
  await expect(person.page.getByTestId("apply-prompt")).toBeFocused();

  await person.playButton.focus();
  await keyboard.press("Space");
  await expect(person.playButton).toHaveText("Play");
  await expect(person.playButton).toBeFocused();
});
