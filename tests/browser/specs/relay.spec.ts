// Relays that are of no use to somebody whose video does not reach the server.
import { Relay, type RelayManner } from "../support/relay.ts";
import { expect, MAIN, test } from "../support/test.ts";

for (const [manner, words, logged] of [
  ["silent", "The relay 127.0.0.1 does not answer either.", "no relay answers a page"],
  [
    "refusing",
    "The relay 127.0.0.1 does not let this page in (401). Please tell the person who runs the server.",
    "a relay refuses the name and password",
  ],
  [
    "leading nowhere",
    "The relay 127.0.0.1 answers, but does not lead to the server. Please tell the person who runs the server.",
    "a page reaches a relay, and this server not through it",
  ],
] as [RelayManner, string, string][]) {
  const tag = manner === "refusing" ? MAIN : {};
  test(`a relay that is ${manner} is told as such on the page and in the log`, tag, async ({
    startServer,
    viewer,
    kind,
  }) => {
    test.skip(kind === "firefox" && manner !== "refusing", "it is told in the same way, and takes 13 s");
    const relay = await Relay.start(manner);
    try {
      const server = await startServer({ args: relay.args });
      // Firefox goes to no relay on its own host otherwise.
      const person = await viewer({ firefoxPreferences: { "media.peerconnection.ice.loopback": true } });
      await person.blockVideo();
      await person.visit(server);
      // Who takes pictures instead has no need of a relay.
      await person.send("video");
      await person.playButton.click();
      await expect(person.problem).toContainText("The video does not reach the server.", { timeout: 30_000 });
      await expect(person.problem).toContainText(words);
      await expect.poll(() => server.log).toContain(logged);
    } finally {
      await relay.stop();
    }
  });
}

test("a page that has been open for long asks for new names before it plays", async ({
  startServer,
  viewer,
}) => {
  const relay = await Relay.start("silent");
  try {
    const server = await startServer({ args: relay.args });
    const person = await viewer();
    await person.canSetClocks();
    await person.context.addInitScript(() => {
      const Real = window.WebSocket;
      window.WebSocket = class extends Real {
        constructor(url: string | URL) {
          super(url);
          Object.assign(window, { socket: this });
        }
      };
    });
    await person.visit(server);
    const names = () =>
      person.messages("server_config").map((config) => JSON.stringify(config.ice_servers));
    // From then on they grow old.
    await expect.poll(names).toHaveLength(1);
    const play = async (openForMs: number) => {
      await person.page.evaluate((ms) => {
        Object.assign((window as any).clocks, { wall: ms, monotonic: ms });
        // It has not slept: the server was heard all the time.
        const alive = new MessageEvent("message", { data: '{"type":"alive"}' });
        ((window as any).socket as WebSocket).dispatchEvent(alive);
      }, openForMs);
      await person.play();
      await person.readAnswers(1);
      await person.stop();
    };
    await play(5.9 * 3_600_000);
    expect(names()).toHaveLength(1);
    await play(6.1 * 3_600_000);
    expect(new Set(names()).size).toBe(2);
    expect(new Set(person.sessionIds).size).toBe(1);
  } finally {
    await relay.stop();
  }
});

test("a server that comes back with other relays is reached by those", MAIN, async ({
  startServer,
  viewer,
}) => {
  const [before, after] = [await Relay.start("silent"), await Relay.start("silent")];
  try {
    const first = await startServer({ args: before.args });
    const person = await viewer();
    person.expectComplaint(/WebSocket|ERR_CONNECTION_REFUSED|can’t establish a connection/);
    await person.context.addInitScript(() => {
      const Real = window.RTCPeerConnection;
      window.RTCPeerConnection = class extends Real {
        constructor(configuration?: RTCConfiguration) {
          super(configuration);
          console.log(`relays: ${configuration?.iceServers?.map(({ urls }) => urls)}`);
        }
      };
    });
    const used: string[] = [];
    person.page.on("console", (message) => {
      if (message.text().startsWith("relays: ")) used.push(message.text());
    });
    await person.visit(first);
    await person.play();
    await first.stop();
    await expect(person.connection).not.toHaveText("Live");
    await startServer({ port: first.port, args: after.args });
    await expect(person.connection).toHaveText("Live");
    // What a page writes to its console comes by another way than what it shows.
    await expect.poll(() => used).toEqual([`relays: ${before.url}`, `relays: ${after.url}`]);
  } finally {
    await before.stop();
    await after.stop();
  }
});
