import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, MAIN, test } from "../support/test.ts";

test("a refused camera is explained", MAIN, async ({ startServer, viewer }) => {
  const server = await startServer();
  const person = await viewer({ allow: false });
  await person.visit(server);
  await person.playButton.click();
  await expect(person.problem).toContainText("The camera is blocked for this page.");
  await expect(person.problem).toContainText("press Play again");
  await expect(person.playButton).toHaveText("Play");
  await expect(person.connection).toHaveText("Ready");
});

test("a camera that is allowed after all plays", async ({ startServer, viewer, kind }) => {
  test.skip(kind === "firefox", "WebDriver BiDi cannot allow it once Firefox runs");
  const server = await startServer();
  const person = await viewer({ allow: false });
  await person.visit(server);
  await person.playButton.click();
  await expect(person.problem).toBeVisible();
  await person.context.grantPermissions(["camera"]);
  await person.play();
  await expect(person.problem).toBeHidden();
  await person.readAnswers(1);
});

test("a computer without a camera is told so", async ({ startServer, viewer, kind }) => {
  test.skip(kind === "firefox", "it has its own test picture, or whatever camera there is");
  const server = await startServer();
  const person = await viewer({ camera: "none" });
  await person.visit(server);
  await person.playButton.click();
  await expect(person.problem).toHaveText("No camera was found. Connect one, then press Play again.");
  await expect(person.playButton).toHaveText("Play");
});

test("a VLM that fails is reported, and answers again when it recovers", async ({
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

  vlm.fail(500);
  await expect(person.answer).toContainText("500");
  await expect(person.answer).toContainText(/Trying again in \d+ s/);
  await expect(person.answer).toHaveAttribute("data-state", "failed");
  await expect(person.connection).toHaveText("Live");
  const before = person.answers.length;
  vlm.recover();
  await person.readAnswers(1);
  await expect(person.answer).not.toContainText("500");
  expect(person.answers.length).toBeGreaterThan(before);
});

test("why there is no answer is said where it would stand, and not kept", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  let says = "A cup.";
  const vlm = await startVlm({ answer: () => says });
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.visit(server);
  await person.play();
  await expect(person.answer).toHaveText("A cup.");
  says = "";
  await expect(person.answer).toContainText("without any text");
  says = "Perhaps it is a dog.</think>No, a cat.";
  await expect(person.answer).toHaveText("No, a cat.");
  says = "";
  await expect(person.answer).toContainText("without any text");
  const earlier = person.page.getByTestId("history").locator(".past-text");
  await expect(earlier.first()).toHaveText("No, a cat.");
  const kept = new Set(await earlier.allTextContents());
  expect([...kept].sort()).toEqual(["A cup.", "No, a cat."]);
});

test("a VLM that is not there is reported", async ({ startServer, startVlm, viewer }) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  await person.visit(server);
  await person.play();
  await person.readAnswers(1);
  await vlm.stop();
  await expect(person.answer).toContainText(new URL(vlm.apiBase).host);
  await person.stop();
  await expect(person.answer).toBeEmpty();
});

test("a server that goes and comes back finds the page playing on", MAIN, async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm({ models: ["house-vl", "alder-vl"] });
  const first = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  person.expectComplaint(
    /WebSocket connection to .* failed|establish a connection|ERR_CONNECTION_REFUSED/,
  );
  await person.visit(first);
  await person.ask("Is the door open?");
  await person.chooseModel("alder-vl");
  await person.set("max-tokens", 99);
  await person.play();
  await person.readAnswers(1);
  const controls = await person.controls();

  await first.stop();
  await expect(person.connection).toContainText("The server cannot be reached. Trying again");
  const asked = vlm.questions.length;
  await startServer({ apiBase: vlm.apiBase, port: first.port });
  await expect(person.connection).toHaveText("Live", { timeout: 30_000 });
  await person.readAnswers(2);
  await expect(person.problem).toBeHidden();
  expect(await person.controls()).toEqual(controls);
  const since = vlm.questions.slice(asked);
  expect(since.at(-1)).toMatchObject({
    prompt: "Is the door open?",
    model: "alder-vl",
    maxTokens: 99,
  });
  await person.stop();
  await person.play();
});

test("when one VLM fails another answers, and the page says which", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const first = await startVlm();
  const second = await startVlm();
  const folder = await mkdtemp(join(tmpdir(), "live-vlm-pool-"));
  const config = join(folder, "config.toml");
  const backends = [first, second].map(({ apiBase }) => `[[backends]]\napi_base = "${apiBase}"\n`);
  await writeFile(config, backends.join(""));
  const server = await startServer({ args: ["--config", config] });
  await rm(folder, { recursive: true });
  const person = await viewer();
  await person.visit(server);
  await person.play();
  await person.readAnswers(1);
  const by = person.page.getByTestId("answered-by");
  await expect(by).not.toContainText(" at ");
  first.fail(500);
  await expect(by).toContainText(`at ${new URL(second.apiBase).host}`);
  await expect(person.connection).toHaveText("Live");
  await expect(person.problem).toBeHidden();
});

test("a video that fails on the server is started again by the page", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer();
  // What the server says when a decoder fails, which nobody can make it do from outside.
  await person.context.addInitScript(() => {
    const Real = window.WebSocket;
    window.WebSocket = class extends Real {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        window.addEventListener("fail-video", () => {
          const text = "The video pipeline failed";
          const data = JSON.stringify({ type: "status", text, status: "Failed", unchanged: 0 });
          this.dispatchEvent(new MessageEvent("message", { data }));
        });
      }
    };
  });
  await person.visit(server);
  await person.play();
  await person.readAnswers(1);
  // Watched from within the page: it may be live again before anybody outside looks.
  const then = await person.connection.evaluate(
    (badge) =>
      new Promise<string>((resolve) => {
        new MutationObserver(() => {
          const text = badge.textContent ?? "";
          if (text !== "Live") resolve(text);
        }).observe(badge, { childList: true, characterData: true, subtree: true });
        window.dispatchEvent(new Event("fail-video"));
      }),
  );
  expect(then).toBe("The video pipeline failed. Connecting again…");
  await expect(person.connection).toHaveText("Live");
  await person.readAnswers(2);
  await expect(person.problem).toBeHidden();
});
