// When a connection may send at the full rate. Times are a clock's that the test sets.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Scope } from "../src/scope.ts";

/** As Chromium begins, until the server has a picture. */
const FIRST = 100_000;
/** While it measures how much the line carries. */
const MEASURING = 6_000_000;
const FULL = 1_500_000;

/** As much of a connection as a Peer uses before it negotiates. */
class FakeConnection extends EventTarget {
  static newest: FakeConnection;
  connectionState = "new";
  /** Every rate that was allowed, in order. */
  readonly rates: (number | undefined)[] = [];

  constructor() {
    super();
    FakeConnection.newest = this;
  }

  createDataChannel(): EventTarget {
    return new EventTarget();
  }

  addTransceiver(_track: unknown, { sendEncodings }: RTCRtpTransceiverInit) {
    const parameters = { encodings: sendEncodings ?? [] };
    const note = () => this.rates.push(parameters.encodings[0]?.maxBitrate);
    note();
    return { sender: { getParameters: () => parameters, setParameters: async () => note() } };
  }

  async getStats(): Promise<Map<string, unknown>> {
    return new Map();
  }

  connect(): void {
    this.connectionState = "connected";
    this.dispatchEvent(new Event("connectionstatechange"));
  }

  close(): void {}
}

type Check = (
  peer: { arrived(): void },
  connection: FakeConnection,
  pass: (ms: number) => Promise<void>,
) => Promise<void>;

/** Runs `check` with a new peer and a way to let time pass. */
async function withPeer(check: Check): Promise<void> {
  let at = performance.now();
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const clock = mock.method(performance, "now", () => at);
  const scope = new Scope();
  try {
    Object.assign(globalThis, { RTCPeerConnection: FakeConnection });
    // It looks at once which browser this is, which older versions of Node do not say.
    if (globalThis.navigator === undefined) {
      Object.assign(globalThis, { navigator: { userAgent: "Node.js" } });
    }
    const { Peer } = await import("../src/peer.ts");
    const nothing = () => {};
    const peer = new Peer(scope, {} as MediaStream, {} as MediaStreamTrack, [], {
      offer: async () => "",
      candidate: nothing,
      connected: nothing,
      path: nothing,
      lost: nothing,
    });
    await check(peer, FakeConnection.newest, async (ms) => {
      at += ms;
      mock.timers.tick(ms);
      // What has begun goes on until it waits for a timer.
      await new Promise(setImmediate);
    });
  } finally {
    scope.end();
    clock.mock.restore();
    mock.timers.reset();
  }
}

test("a higher rate is allowed when the browser has measured the line, and no earlier", () =>
  withPeer(async (peer, connection, pass) => {
    connection.connect();
    await pass(300);
    peer.arrived();
    await pass(899);
    assert.deepEqual(connection.rates, [FIRST]);
    await pass(1);
    assert.deepEqual(connection.rates, [FIRST, MEASURING]);
    await pass(499);
    assert.deepEqual(connection.rates, [FIRST, MEASURING]);
    await pass(1);
    assert.deepEqual(connection.rates, [FIRST, MEASURING, FULL]);
  }));

test("a higher rate is not allowed before the server has a picture, and then at once", () =>
  withPeer(async (peer, connection, pass) => {
    connection.connect();
    await pass(5000);
    assert.deepEqual(connection.rates, [FIRST]);
    peer.arrived();
    await pass(0);
    assert.deepEqual(connection.rates, [FIRST, MEASURING]);
  }));

test("the rate stays as it is when the server has pictures again after a while without", () =>
  withPeer(async (peer, connection, pass) => {
    connection.connect();
    peer.arrived();
    await pass(1200);
    await pass(500);
    peer.arrived();
    await pass(2000);
    assert.deepEqual(connection.rates, [FIRST, MEASURING, FULL]);
  }));
