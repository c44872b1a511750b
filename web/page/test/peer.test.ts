// When a connection may send at the full rate. Times are a clock's that the test sets.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { FrameTrack } from "../src/frame-track.ts";
import type { Peer } from "../src/peer.ts";
import { Scope } from "../src/scope.ts";

/** As Chromium begins, until the server has a picture. */
const FIRST = 100_000;
/** While it measures how much the line carries. */
const MEASURING = 6_000_000;
const FULL = 1_500_000;

/** Where the line is not measured by whole video. */
const QUICK = 30;

/** As much of a connection as a Peer uses before it negotiates. */
class FakeConnection extends EventTarget {
  static newest: FakeConnection;
  connectionState = "new";
  /** Every rate that was allowed, in order. */
  readonly rates: (number | undefined)[] = [];
  /** And how many frames a second with each. */
  readonly framerates: (number | undefined)[] = [];
  /** The tracks that were sent, in order. */
  readonly tracks: unknown[] = [];

  constructor() {
    super();
    FakeConnection.newest = this;
  }

  createDataChannel(): EventTarget {
    return new EventTarget();
  }

  addTransceiver(track: unknown, { sendEncodings }: RTCRtpTransceiverInit) {
    const parameters = { encodings: sendEncodings ?? [] };
    const note = () => {
      this.rates.push(parameters.encodings[0]?.maxBitrate);
      this.framerates.push(parameters.encodings[0]?.maxFramerate);
    };
    note();
    this.tracks.push(track);
    const replaceTrack = async (other: unknown) => void this.tracks.push(other);
    const setParameters = async () => note();
    return { sender: { getParameters: () => parameters, setParameters, replaceTrack } };
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

/** A camera of 640x480 pixels. */
const sources = {
  stream: {} as MediaStream,
  camera: { getSettings: () => ({ width: 640, height: 480 }) } as MediaStreamTrack,
  frames: null,
};
const SIZE = { width: 640, height: 480 };

/** A track of single frames, which counts them. */
function frameTrack() {
  const frames = { track: {} as MediaStreamTrack, given: 0, give: () => frames.given++ };
  return frames;
}

type Check = (
  peer: Peer,
  connection: FakeConnection,
  pass: (ms: number) => Promise<void>,
) => Promise<void>;

/** Runs `check` with a new peer and a way to let time pass. */
async function withPeer(check: Check, frames: unknown = null): Promise<void> {
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
    const peer = new Peer(scope, { ...sources, frames: frames as FrameTrack | null }, [], {
      offer: async () => ({ sdp: "", onDemand: frames !== null }),
      candidate: nothing,
      connected: nothing,
      measuring: nothing,
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

test("single frames are bounded in size from the first on, and the line is measured once", () =>
  withPeer(async (peer, connection, pass) => {
    assert.deepEqual([connection.rates, connection.framerates], [[256_000], [2]]);
    connection.connect();
    peer.arrived();
    await pass(1200);
    await pass(500);
    peer.arrived();
    await pass(5000);
    assert.deepEqual(connection.rates, [256_000, MEASURING, 256_000]);
    assert.deepEqual(connection.framerates, [2, QUICK, 2]);
  }, frameTrack()));

test("frames that follow each other soon are allowed as such before they are given", async () => {
  const frames = frameTrack();
  await withPeer(async (peer, connection, pass) => {
    const give = async (spacingMs: number | null = null) => {
      await peer.give({} as HTMLVideoElement, SIZE, spacingMs);
      return [frames.given, connection.framerates.at(-1)];
    };
    await pass(5000);
    assert.deepEqual(await give(), [1, 2]);
    await pass(1000);
    assert.deepEqual(await give(), [2, 2]);
    await pass(300);
    assert.deepEqual(await give(), [3, QUICK]);
    assert.equal(connection.rates.at(-1), 4 * 128_000);
    await pass(1000);
    assert.deepEqual(await give(), [4, 2]);
    // A clip.
    await pass(2000);
    assert.deepEqual(await give(200), [5, QUICK]);
    assert.equal(connection.rates.at(-1), 6 * 128_000);
  }, frames);
});

test("a larger picture may have more bytes, and fewer for each pixel", () =>
  withPeer(async (peer, connection, pass) => {
    await pass(5000);
    await peer.give({} as HTMLVideoElement, { width: 1280, height: 720 }, null);
    const [small = 0, large = 0] = connection.rates;
    assert.ok(large > 1.8 * small && large < 2.2 * small, `${small} ${large}`);
  }, frameTrack()));

test("the same connection sends single frames, or all of them", async () => {
  const frames = frameTrack();
  await withPeer(async (peer, connection) => {
    for (const sending of ["on_demand", "all", "all", "on_demand"] as const) {
      await peer.send(sending);
    }
    const { camera } = sources;
    assert.deepEqual(connection.tracks, [frames.track, camera, frames.track]);
    assert.deepEqual(connection.framerates.slice(0, 2), [2, undefined]);
    await peer.send("all");
    await peer.give({} as HTMLVideoElement, SIZE, null);
    assert.equal(frames.given, 0);
  }, frames);
});

test("another camera takes the place of the one before only where its own track is sent", async () => {
  const frames = frameTrack();
  await withPeer(async (peer, connection) => {
    const other = {} as MediaStreamTrack;
    await peer.replace({} as MediaStream, other);
    assert.deepEqual(connection.tracks, [frames.track]);
    await peer.send("all");
    assert.deepEqual(connection.tracks, [frames.track, other]);
  }, frames);
});
