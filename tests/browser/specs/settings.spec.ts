import { expect, MAIN, test } from "../support/test.ts";
import type { Viewer } from "../support/viewer.ts";

test("what is out of range is told beside its field, and changes nothing", MAIN, async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.visit(server);
  await person.askOnChangeOnly();
  const sent = person.sent.length;
  const others = await person.controls();
  for (const [field, value, words] of [
    ["interval", "0", "From 0.1 to 3600 seconds."],
    ["interval", "3601", "From 0.1 to 3600 seconds."],
    ["interval", "", "From 0.1 to 3600 seconds."],
    ["max-tokens", "0", "A whole number from 1 to 32768."],
    ["max-tokens", "1.5", "A whole number from 1 to 32768."],
    ["max-tokens", "32769", "A whole number from 1 to 32768."],
    ["min-change", "-1", "From 0 to 100 percent."],
    ["min-change", "101", "From 0 to 100 percent."],
  ] as const) {
    const input = person.page.getByTestId(field);
    await person.write(field, value);
    await expectWrong(person, field, words);
    expect(await person.controls()).toEqual({ ...others, [field]: value });
    await person.write(field, others[field] ?? "");
    await expect(input).not.toHaveAttribute("aria-invalid");
  }
  await person.prompt.fill("   ");
  await person.page.getByTestId("apply-prompt").click();
  await expectWrong(person, "prompt", "Write a question first.");
  // The server has heard of nothing but, at most, the values that it holds already.
  const said = person.sent.slice(sent).map((text) => JSON.parse(text));
  for (const { prompt = others.prompt, interval = 1, max_tokens = 512, min_change = 0.02 } of said) {
    expect({ prompt, interval, max_tokens, min_change }).toEqual({
      prompt: others.prompt,
      interval: 1,
      max_tokens: 512,
      min_change: 0.02,
    });
  }
  await person.play();
  await person.readAnswers(1);
  expect(vlm.questions[0]).toMatchObject({ prompt: others.prompt, maxTokens: 512 });
});

test("what is wrong stands there until it is mended, also when something else is applied", async ({
  startServer,
  viewer,
}) => {
  const person = await viewer();
  await person.visit(await startServer());
  await person.write("interval", "0");
  await person.set("max-tokens", 64);
  await expectWrong(person, "interval", "From 0.1 to 3600 seconds.");
  await expect(person.page.getByTestId("interval")).toHaveValue("0");
  await person.set("interval", 2);
});

test("an address that is none, or where no VLM is, is told beside its field", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const gone = await startVlm();
  const locked = await startVlm({ key: "the right one" });
  await gone.stop();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.visit(server);
  await person.play();
  await person.page.getByText("Connect a VLM").click();
  for (const [address, words] of [
    ["", "Write the server’s address"],
    ["ftp://localhost:8000", "Begin the address with http:// or https://"],
    [gone.apiBase, new URL(gone.apiBase).host],
    [locked.apiBase, /key/],
  ] as const) {
    await person.page.getByTestId("api-base").fill(address);
    await person.page.getByTestId("connect-vlm").click();
    await expectWrong(person, "api-base", words);
  }
  // The answers go on from where they came.
  await person.readAnswers(2);
  await expect(person.page.getByTestId("where")).toHaveText(`at ${new URL(vlm.apiBase).host}`);
});

test("settings are kept from visit to visit", MAIN, async ({ startServer, startVlm, viewer }) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.visit(server);
  await person.ask("Who is at the door?");
  await person.set("interval", 2.5);
  await person.set("max-tokens", 64);
  await person.set("min-change", 0.5);
  await person.page.getByTestId("more").getByText("More").click();
  await person.page.getByTestId("system-prompt").fill("Be brief.");
  await person.page.getByTestId("system-prompt").blur();
  await expect(person.page.locator("#system-prompt-note")).toHaveText("Applied");
  const controls = await person.controls();

  await person.visit(server);
  await expect.poll(() => person.controls()).toEqual(controls);
  await person.play();
  // The picture may change too little for a second one.
  await expect.poll(() => vlm.questions.length).toBeGreaterThan(0);
  expect(vlm.questions.at(-1)).toMatchObject({
    prompt: "Who is at the door?",
    systemPrompt: "Be brief.",
    maxTokens: 64,
  });
});

test("nothing is asked while less of the picture has changed than the person wants", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.visit(server);
  await person.play();
  await person.readAnswers(2);
  await person.set("min-change", 50);
  expect(person.messages("settings_updated").at(-1)).toMatchObject({ min_change: 0.5 });
  const asked = vlm.questions.length;
  // All that moves before this camera is a small block.
  await expect(person.page.locator("#answer-age")).toContainText("last answer", { timeout: 15_000 });
  // One may have been on its way.
  expect(vlm.questions.length - asked).toBeLessThanOrEqual(1);
  await expect(person.page.locator("#saved")).toHaveText(/^\d+ questions saved$/);
  await person.set("min-change", 0);
  await person.readAnswers(1);
});

async function expectWrong(person: Viewer, field: string, words: string | RegExp): Promise<void> {
  await expect(person.page.locator(`#${field}-note`)).toContainText(words);
  await expect(person.page.getByTestId(field)).toHaveAttribute("aria-invalid", "true");
}
