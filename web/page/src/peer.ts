import { now } from "./clock.ts";
import type { Path } from "./path.ts";
import { PathWatch, wayOf } from "./path.ts";
import { Relays } from "./relays.ts";
import type { Scope } from "./scope.ts";

const MAX_BITRATE = 1_500_000;
const IS_FIREFOX = navigator.userAgent.includes("Firefox/");
/**
 * Until the server has a picture: a large first one keeps a thin uplink busy for many seconds. Firefox
 * starts low by itself, and from here it would take half a minute to the full rate.
 */
const FIRST_BITRATE = IS_FIREFOX ? MAX_BITRATE : 100_000;
/**
 * For so long after connecting, Chromium measures the line for the first time. If a higher rate is
 * allowed after that, it measures again. If it is allowed earlier, the rate only grows bit by bit.
 */
const FIRST_MEASURING_MS = 1200;
/**
 * What Chromium may send while it measures again. How fast it measures the line to be is how fast it
 * sends a key frame later. At the video's own rate a key frame would go out in pieces, 40 ms apart, so
 * this is more.
 */
const MEASURING_BITRATE = 6_000_000;
const MEASURING_MS = 500;
/** A connection that is merely `disconnected` may come back by itself; this long is too long. */
const DISCONNECTED_MS = 4000;
/** How often to see which way the video takes. */
const LOOK_MS = 500;

export interface PeerEvents {
  offer(sdp: string, signal: AbortSignal): Promise<string>;
  candidate(candidate: string, mLine: number): void;
  connected(): void;
  /** Whether the server's reports still come, and to the same address of ours. */
  path(path: Path): void;
  lost(): void;
}

/** Why a browser makes no connection at all. */
export function peerProblem(error: unknown): string {
  const why = error instanceof Error || error instanceof DOMException ? error.message : `${error}`;
  return `This browser cannot send video: ${why}`;
}

/** One connection that sends one camera track. It closes with its scope. */
export class Peer {
  readonly relays: Relays;
  readonly #scope: Scope;
  readonly #pc: RTCPeerConnection;
  readonly #events: PeerEvents;
  readonly #sender: RTCRtpSender;
  /** Candidates from before the answer: the server knows no session to put them in until then. */
  #early: RTCIceCandidate[] | null = [];
  #connectedAt: number | null = null;
  #hasArrived = false;

  constructor(
    scope: Scope,
    stream: MediaStream,
    track: MediaStreamTrack,
    iceServers: RTCIceServer[],
    events: PeerEvents,
  ) {
    this.#scope = scope;
    this.relays = new Relays(iceServers);
    this.#pc = new RTCPeerConnection({ iceServers });
    this.#events = events;
    scope.own(() => this.#pc.close());
    // Nothing is said on it, but when it closes, each side knows at once that the other left.
    const liveness = this.#pc.createDataChannel("liveness");
    // A server that refuses the channel, and so closes it unopened, may still take the video.
    scope.listen(liveness, "open", () => {
      scope.listen(liveness, "close", () => events.lost());
    });
    this.#sender = this.#pc.addTransceiver(track, {
      direction: "sendonly",
      streams: [stream],
      sendEncodings: [{ maxBitrate: FIRST_BITRATE }],
    }).sender;
    scope.listen(this.#pc, "icecandidate", (event) => {
      const { candidate } = event;
      if (candidate === null || candidate.candidate === "") return;
      this.relays.candidate(candidate.candidate);
      if (this.#early === null) this.#send(candidate);
      else this.#early.push(candidate);
    });
    scope.listen(this.#pc, "icecandidateerror", (event) => {
      this.relays.error(event.errorCode);
    });
    this.#watch();
  }

  /** Offers at once, without waiting for candidates: they follow one by one. */
  async negotiate(): Promise<void> {
    const abort = new AbortController();
    const forget = this.#scope.own(() => abort.abort());
    await this.#set((parameters) => {
      // On a slow start or a weak link fewer frames rather than smaller ones: a VLM looks at one now
      // and then, and what it cannot make out is lost.
      parameters.degradationPreference = "maintain-resolution";
    });
    await this.#pc.setLocalDescription(await this.#pc.createOffer());
    const sdp = await this.#events.offer(this.#pc.localDescription?.sdp ?? "", abort.signal);
    if (this.#scope.ended) return;
    forget();
    await this.#pc.setRemoteDescription({ type: "answer", sdp });
    const early = this.#early ?? [];
    this.#early = null;
    for (const candidate of early) this.#send(candidate);
  }

  /** Another camera goes over the same connection. */
  async replace(track: MediaStreamTrack): Promise<void> {
    await this.#sender.replaceTrack(track);
  }

  /** The server has a picture: whoever says so again changes nothing. */
  arrived(): void {
    if (IS_FIREFOX || this.#hasArrived) return;
    this.#hasArrived = true;
    const since = this.#connectedAt === null ? 0 : now() - this.#connectedAt;
    this.#scope.after(Math.max(FIRST_MEASURING_MS - since, 0), () => this.#measureAgain());
  }

  async #measureAgain(): Promise<void> {
    await this.#allow(MEASURING_BITRATE);
    this.#scope.after(MEASURING_MS, () => this.#allow(MAX_BITRATE));
  }

  async #allow(bitrate: number): Promise<void> {
    await this.#set(({ encodings: [encoding] }) => {
      if (encoding !== undefined) encoding.maxBitrate = bitrate;
    });
  }

  async #set(change: (parameters: RTCRtpSendParameters) => void): Promise<void> {
    try {
      const parameters = this.#sender.getParameters();
      change(parameters);
      await this.#sender.setParameters(parameters);
    } catch {
      // A browser that cannot do this goes on as it does by itself.
    }
  }

  #send(candidate: RTCIceCandidate): void {
    this.#events.candidate(candidate.candidate, candidate.sdpMLineIndex ?? 0);
  }

  #watch(): void {
    let patience = () => {};
    let watched = false;
    this.#scope.listen(this.#pc, "connectionstatechange", () => {
      patience();
      const state = this.#pc.connectionState;
      if (state === "connected") {
        this.#connectedAt ??= now();
        if (!watched) this.#watchPath(new PathWatch(now()));
        watched = true;
        this.#events.connected();
      } else if (state === "failed") this.#events.lost();
      else if (state === "disconnected") {
        this.#events.path("deaf");
        patience = this.#scope.after(DISCONNECTED_MS, () => this.#events.lost());
      }
    });
  }

  /** By statistics: no browser tells of a new address by an event in every case. */
  #watchPath(watch: PathWatch): void {
    this.#scope.every(LOOK_MS, async () => {
      const reports = await this.#pc.getStats().catch(() => null);
      if (reports === null || this.#scope.ended) return;
      const all: Record<string, unknown>[] = [];
      reports.forEach((report: Record<string, unknown>) => {
        all.push(report);
      });
      const way = wayOf(all);
      if (way !== null) this.#events.path(watch.look(way, now()));
    });
  }
}
