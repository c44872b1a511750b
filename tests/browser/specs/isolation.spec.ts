import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ScriptedVlm } from "../support/scripted-vlm.ts";
import { expect, MAIN, test } from "../support/test.ts";
import type { Viewer } from "../support/viewer.ts";

const MODELS = ["house-vl", "alder-vl", "birch-vl"];
const APPLES = { prompt: "How many apples are there?", model: "alder-vl", colour: "red" } as const;
const BOATS = { prompt: "Which boats come in?", model: "birch-vl", colour: "blue" } as const;

/** Threads that the whole process shares, and that come and go with the work. */
const POOLED = 3;
/** GLib keeps idle threads for 15 s, in newer versions more of them. */
const IDLE_MS = 30_000;

type Part = typeof APPLES | typeof BOATS;

/** Somebody who asks their own question of their own model about their own picture. */
async function settle(person: Viewer, part: Part): Promise<void> {
  await person.ask(part.prompt);
  await person.chooseModel(part.model);
  await person.play();
}

function expectOnly(person: Viewer, own: Part, other: Part, others: Viewer): void {
  const everything = person.received.join("\n");
  for (const foreign of [other.prompt, other.model, other.colour, ...others.sessionIds]) {
    expect(everything).not.toContain(foreign);
  }
  // What was asked before the settings changed is not about them.
  const answers = person.messages("vlm_response").filter(({ prompt }) => prompt === own.prompt);
  for (const { text } of answers.slice(-5)) {
    expect(text).toContain(`${own.model} was asked “${own.prompt}” and sees ${own.colour}, 640 by 480`);
  }
}

test("two people with two cameras read only their own answers", MAIN, async ({
  startServer,
  startVlm,
  viewer,
  cameras,
}) => {
  const vlm = await startVlm({ models: MODELS });
  const server = await startServer({ apiBase: vlm.apiBase });
  const ann = await viewer({ camera: await cameras.flat("red") });
  const ben = await viewer({ camera: await cameras.flat("blue") });
  await ann.visit(server);
  await ben.visit(server);
  await settle(ann, APPLES);
  await settle(ben, BOATS);
  await Promise.all([ann.readAnswers(5), ben.readAnswers(5)]);

  expectOnly(ann, APPLES, BOATS, ben);
  expectOnly(ben, BOATS, APPLES, ann);
  await expect(ann.answer).toContainText("sees red");
  await expect(ben.answer).toContainText("sees blue");
  await expect(ann.page.locator("body")).not.toContainText(/birch-vl was|boats|sees blue/);
  await expect(ben.page.locator("body")).not.toContainText(/alder-vl was|apples|sees red/);

  // The VLM was never asked the one's question about the other's picture, nor in the other's name.
  const asked = (part: Part) => vlm.questions.filter(({ prompt }) => prompt === part.prompt);
  for (const part of [APPLES, BOATS]) {
    expect(new Set(asked(part).map(({ colour }) => colour))).toEqual(new Set([part.colour]));
    expect(new Set(asked(part).map(({ user }) => user)).size).toBe(1);
  }
  expect(asked(APPLES)[0]?.user).not.toBe(asked(BOATS)[0]?.user);
  // The name under which a session asks is no way to reach it.
  const users = new Set(vlm.questions.map(({ user }) => user));
  for (const id of [...ann.sessionIds, ...ben.sessionIds]) expect(users).not.toContain(id);
});

test("two tabs of one browser are two sessions", async ({ startServer, startVlm, viewer, cameras }) => {
  const vlm = await startVlm({ models: MODELS });
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer({ camera: await cameras.flat("red") });
  await person.visit(server);
  await person.ask("First tab?");
  await person.play();
  await person.readAnswers(1);
  const received = person.received.length;

  const second = await person.context.newPage();
  await second.goto(server.url);
  await expect(second.getByTestId("connection")).toHaveText("Ready");
  await second.getByTestId("max-tokens").clear();
  await second.getByTestId("max-tokens").fill("17");
  await second.getByTestId("max-tokens").blur();
  await expect(second.locator("#max-tokens-note")).toHaveText("Applied");
  await second.getByTestId("play").click();
  await expect.poll(() => vlm.questions.some(({ maxTokens }) => maxTokens === 17)).toBe(true);

  await person.readAnswers(2);
  expect(person.received.slice(received).join("\n")).not.toContain("_updated");
  const first = vlm.questions.filter(({ maxTokens }) => maxTokens !== 17);
  expect(new Set(first.map(({ user }) => user)).size).toBe(1);
});

test("settings of one person leave the other's alone", async ({
  startServer,
  startVlm,
  viewer,
  cameras,
}) => {
  const vlm = await startVlm({ models: MODELS });
  const server = await startServer({ apiBase: vlm.apiBase });
  const ann = await viewer({ camera: await cameras.flat("red") });
  const ben = await viewer({ camera: await cameras.flat("blue") });
  await ann.visit(server);
  await ben.visit(server);
  await Promise.all([ann.play(), ben.play()]);
  await Promise.all([ann.readAnswers(1), ben.readAnswers(1)]);
  const controls = await ben.controls();
  const received = ben.received.length;
  const askedOfBen = () => vlm.questions.filter(({ colour }) => colour === "blue");
  const before = askedOfBen().at(-1);

  await ann.ask("What is on the table?");
  await ann.chooseModel("alder-vl");
  await ann.set("interval", 0.5);
  await ann.set("max-tokens", 77);
  const { prompt, model, maxTokens } = { prompt: "What is on the table?", model: "alder-vl", maxTokens: 77 };
  const changed = () => vlm.questions.filter((question) => question.maxTokens === maxTokens);
  await expect.poll(() => changed().length).toBeGreaterThan(3);
  for (const question of changed()) expect(question).toMatchObject({ prompt, model, colour: "red" });

  const asked = askedOfBen().length;
  await ben.readAnswers(5);
  expect(await ben.controls()).toEqual(controls);
  const types = ben.received.slice(received).map((text) => JSON.parse(text).type);
  expect(new Set(types)).toEqual(new Set(["answer_delta", "frame_wanted", "vlm_response"]));
  const since = askedOfBen().slice(asked);
  for (const question of since) {
    expect(question.prompt).toBe(before?.prompt);
    expect(question.model).toBe("house-vl");
    expect(question.maxTokens).toBe(before?.maxTokens);
  }
  // Still once a second or so, however often the other asks.
  const first = since.at(0)?.at ?? 0;
  expect(((since.at(-1)?.at ?? 0) - first) / (since.length - 1)).toBeGreaterThan(750);

  // Who comes now begins with the server's settings.
  const newcomer = await viewer();
  await newcomer.visit(server);
  expect(newcomer.messages("server_config")).toMatchObject([
    { model: "house-vl", prompt: before?.prompt, max_tokens: before?.maxTokens, interval: 1 },
  ]);
});

test("who leaves frees what they held, and the others read on", async ({
  startServer,
  startVlm,
  viewer,
  cameras,
}) => {
  test.setTimeout(150_000);
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const stays = await viewer({ camera: await cameras.flat("blue") });
  await stays.visit(server);
  await stays.play();
  await stays.readAnswers(2);
  const alone = await server.held();

  for (const [leave, withinMs] of [
    [(person: Viewer) => person.page.close(), 5_000],
    // As when a laptop is shut: nobody says goodbye, so the server has to notice.
    [(person: Viewer) => person.vanish(), 25_000],
  ] as const) {
    const leaves = await viewer({ camera: await cameras.flat("red") });
    await leaves.visit(server);
    await leaves.play();
    await leaves.readAnswers(1);
    const together = await server.held();
    expect(together.threads).toBeGreaterThan(alone.threads + POOLED);
    expect(together.udpSockets).toBeGreaterThan(alone.udpSockets);

    await leave(leaves);
    await expect
      .poll(async () => (await server.held()).udpSockets, { timeout: withinMs })
      .toBe(alone.udpSockets);
    await expect
      .poll(async () => (await server.held()).threads, { timeout: IDLE_MS })
      .toBeLessThanOrEqual(alone.threads + POOLED);
  }
  await stays.readAnswers(3);
  await expect(stays.connection).toHaveText("Live");
});

test("a session's id in other hands opens nothing", async ({ startServer, startVlm, viewer }) => {
  const vlm = await startVlm();
  const server = await startServer({ apiBase: vlm.apiBase });
  const owner = await viewer();
  const thief = await viewer();
  await owner.visit(server);
  await thief.visit(server);
  await owner.play();
  await owner.readAnswers(1);
  const received = owner.received.length;

  thief.expectComplaint(/WebSocket connection to .* failed|status of 403/);
  const refused = await thief.page.evaluate(async (id) => {
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws?session_id=${id}`);
    const opened = await new Promise<boolean>((resolve) => {
      socket.onopen = () => resolve(true);
      socket.onerror = () => resolve(false);
    });
    const pc = new RTCPeerConnection();
    pc.addTransceiver("video", { direction: "sendonly" });
    const { sdp } = await pc.createOffer();
    const offer = await fetch("offer", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sdp, type: "offer", session_id: id }),
    });
    pc.close();
    return { opened, offer: offer.status };
  }, owner.sessionId);
  expect(refused).toEqual({ opened: false, offer: 403 });

  await owner.readAnswers(2);
  const types = owner.received.slice(received).map((text) => JSON.parse(text).type);
  expect(new Set(types)).toEqual(new Set(["answer_delta", "frame_wanted", "vlm_response"]));
});

test("a key goes to the VLM that it was given for, and nowhere else", async ({
  startServer,
  startVlm,
  viewer,
  cameras,
}) => {
  const key = "a-key-that-nobody-else-may-see";
  const house = await startVlm();
  const own: ScriptedVlm = await startVlm({ models: ["private-vl"], key });
  const server = await startServer({ apiBase: house.apiBase, args: ["--log", "debug"] });
  const ann = await viewer({ camera: await cameras.flat("red") });
  const ben = await viewer({ camera: await cameras.flat("blue") });
  await ann.visit(server);
  await ben.visit(server);
  await Promise.all([ann.play(), ben.play()]);
  await Promise.all([ann.readAnswers(1), ben.readAnswers(1)]);
  // Whatever logs them on the way.
  const addresses: string[] = [];
  ann.page.on("request", (request) => addresses.push(request.url()));

  await ann.page.getByText("Connect a VLM").click();
  await ann.page.getByTestId("api-base").fill(own.apiBase);
  await ann.page.getByTestId("api-key").fill(key);
  await ann.page.getByTestId("connect-vlm").click();
  await expect(ann.page.getByTestId("model")).toHaveValue("private-vl");
  await expect.poll(() => own.questions.length).toBeGreaterThan(1);
  await ben.readAnswers(2);

  expect(own.questions.every(({ colour }) => colour === "red")).toBe(true);
  expect(house.questions.every(({ authorization }) => authorization === "")).toBe(true);
  expect(house.questions.at(-1)?.colour).toBe("blue");
  for (const person of [ann, ben]) expect(person.received.join("\n")).not.toContain(key);
  expect(server.log).not.toContain(key);
  expect(addresses).toContain(`${server.url}/models`);
  expect(addresses.join("\n")).not.toContain(key);
  const stored = await ann.page.evaluate(() => JSON.stringify(localStorage) + document.cookie);
  expect(stored).not.toContain(key);
  expect(stored).not.toContain(ann.sessionId);
});

test("a link from another site opens the page, and what that site asks for itself is refused", async ({
  startServer,
  viewer,
}) => {
  const server = await startServer();
  const asked: string[] = [];
  const site = createServer((request, response) => {
    asked.push(request.url ?? "");
    const own = `http://${request.headers.host}/v1`;
    response.setHeader("content-type", "text/html");
    response.end(
      `<link rel="icon" href="data:,"><a href="${server.url}">in</a>
       <img src="${server.url}/models?api_base=${own}&api_key=chosen">`,
    );
  });
  await new Promise<void>((listening) => site.listen(0, "127.0.0.1", listening));
  try {
    const person = await viewer();
    person.expectComplaint(/status of 403|ERR_BLOCKED/);
    // Another name than the server's, so another site.
    const { port } = site.address() as AddressInfo;
    await person.page.goto(`http://localhost:${port}/`);
    await expect.poll(() => server.log).toContain("code=ForeignOrigin");
    expect(asked).toEqual(["/"]);
    await person.page.getByText("in").click();
    await expect(person.connection).toHaveText("Ready");
  } finally {
    site.close();
    site.closeAllConnections();
  }
});
