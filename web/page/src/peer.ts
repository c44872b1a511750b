import type { OfferReply } from "./api.ts";
import { now } from "./clock.ts";
import type { FrameTrack } from "./frame-track.ts";
import type { Path } from "./path.ts";
import { PathWatch, wayOf } from "./path.ts";
import type { Shown, Size } from "./picture.ts";
import type { Rate } from "./rates.ts";
import { FrameRates, MEASURING, WHOLE } from "./rates.ts";
import { Relays } from "./relays.ts";
import type { Scope } from "./scope.ts";

const IS_FIREFOX = navigator.userAgent.includes("Firefox/");
/**
 * Until the server has a picture: a large first one keeps a thin uplink busy for many seconds. Firefox
 * starts low by itself, and from here it would take half a minute to the full rate.
 */
const FIRST: Rate = IS_FIREFOX ? WHOLE : { bitrate: 100_000, framerate: null };
/**
 * For so long after connecting, Chromium measures the line for the first time. If a higher rate is
 * allowed after that, it measures again. If it is allowed earlier, the rate only grows bit by bit.
 */
const FIRST_MEASURING_MS = 1200;
const MEASURING_MS = 500;
/** Where the first single frame's size is not known yet. */
const USUAL: Size = { width: 1280, height: 720 };
/** A connection that is merely `disconnected` may come back by itself; this long is too long. */
const DISCONNECTED_MS = 4000;
/** How often to see which way the video takes. */
const LOOK_MS = 500;

/** What a connection can send. */
export interface Sources {
  stream: MediaStream;
  camera: MediaStreamTrack;
  /** Null in a browser that gives no single frames. */
  frames: FrameTrack | null;
}

/** All frames, or those that are asked for. */
export type Sending = "all" | "on_demand";

export interface PeerEvents {
  offer(sdp: string, signal: AbortSignal): Promise<OfferReply>;
  candidate(candidate: string, mLine: number): void;
  connected(): void;
  /** The line is being measured, for which it takes a frame. */
  measuring(): void;
  /** Whether the server's reports still come, and to the same address of ours. */
  path(path: Path): void;
  lost(): void;
}

/** Why a browser makes no connection at all. */
export function peerProblem(error: unknown): string {
  const why = error instanceof Error || error instanceof DOMException ? error.message : `${error}`;
  return `This browser cannot send video: ${why}`;
}

/** One connection that sends one camera. It closes with its scope. */
export class Peer {
  readonly relays: Relays;
  readonly #scope: Scope;
  readonly #pc: RTCPeerConnection;
  readonly #events: PeerEvents;
  readonly #sender: RTCRtpSender;
  readonly #sources: Sources;
  readonly #rates = new FrameRates(IS_FIREFOX);
  #sending: Sending;
  /** What the encoder is allowed while nothing is measured. */
  #rate: Rate;
  #measuring = false;
  /** Parameters are read, changed and set one after the other, or the browser refuses them. */
  #setting: Promise<void> = Promise.resolve();
  /** Candidates from before the answer: the server knows no session to put them in until then. */
  #early: RTCIceCandidate[] | null = [];
  #connectedAt: number | null = null;
  #hasArrived = false;

  constructor(scope: Scope, sources: Sources, iceServers: RTCIceServer[], events: PeerEvents) {
    this.#scope = scope;
    this.#sources = { ...sources };
    const { stream, camera, frames } = sources;
    this.#sending = frames === null ? "all" : "on_demand";
    this.#rate = frames === null ? FIRST : this.#rates.rare(sizeOf(camera));
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
    this.#sender = this.#pc.addTransceiver(frames?.track ?? camera, {
      direction: "sendonly",
      streams: [stream],
      sendEncodings: [encodingOf(this.#rate)],
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
    const local = this.#pc.localDescription?.sdp ?? "";
    const { sdp, onDemand } = await this.#events.offer(local, abort.signal);
    if (this.#scope.ended) return;
    forget();
    if (!onDemand) await this.send("all");
    await this.#pc.setRemoteDescription({ type: "answer", sdp });
    const early = this.#early ?? [];
    this.#early = null;
    for (const candidate of early) this.#send(candidate);
  }

  /** Another camera goes over the same connection. */
  async replace(stream: MediaStream, camera: MediaStreamTrack): Promise<void> {
    Object.assign(this.#sources, { stream, camera });
    if (this.#sending === "all") await this.#sender.replaceTrack(camera);
  }

  /** What is sent from now on, over the same connection. */
  async send(sending: Sending): Promise<void> {
    const { camera, frames } = this.#sources;
    const wanted = sending === "on_demand" && frames === null ? "all" : sending;
    if (this.#sending === wanted) return;
    this.#sending = wanted;
    if (wanted === "all") await this.#allow(this.#hasArrived ? WHOLE : FIRST);
    const track = wanted === "on_demand" ? frames?.track : camera;
    await this.#sender.replaceTrack(track ?? camera);
  }

  /** Gives what the video shows now, if single frames are sent. `spacingMs`: to the next one. */
  async give(video: Shown, size: Size, spacingMs: number | null): Promise<void> {
    const { frames } = this.#sources;
    if (this.#sending !== "on_demand" || frames === null) return;
    const rate = this.#rates.next(now(), size, spacingMs);
    const isKnown = rate.bitrate === this.#rate.bitrate && rate.framerate === this.#rate.framerate;
    if (!isKnown) await this.#allow(rate);
    if (!this.#scope.ended) frames.give(video, size);
  }

  /** The server has a picture: whoever says so again changes nothing. */
  arrived(): void {
    if (this.#hasArrived) return;
    this.#hasArrived = true;
    if (IS_FIREFOX) return;
    const since = this.#connectedAt === null ? 0 : now() - this.#connectedAt;
    this.#scope.after(Math.max(FIRST_MEASURING_MS - since, 0), () => this.#measureAgain());
  }

  async #measureAgain(): Promise<void> {
    this.#measuring = true;
    await this.#encode(this.#sending === "all" ? { ...MEASURING, framerate: null } : MEASURING);
    this.#events.measuring();
    this.#scope.after(MEASURING_MS, () => {
      this.#measuring = false;
      if (this.#sending === "all") this.#rate = WHOLE;
      void this.#encode(this.#rate);
    });
  }

  async #allow(rate: Rate): Promise<void> {
    this.#rate = rate;
    if (!this.#measuring) await this.#encode(rate);
  }

  async #encode(rate: Rate): Promise<void> {
    await this.#set(({ encodings: [encoding] }) => {
      if (encoding === undefined) return;
      delete encoding.maxFramerate;
      Object.assign(encoding, encodingOf(rate));
    });
  }

  #set(change: (parameters: RTCRtpSendParameters) => void): Promise<void> {
    this.#setting = this.#setting.then(async () => {
      try {
        const parameters = this.#sender.getParameters();
        change(parameters);
        await this.#sender.setParameters(parameters);
      } catch {
        // A browser that cannot do this goes on as it does by itself.
      }
    });
    return this.#setting;
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

function encodingOf({ bitrate, framerate }: Rate): RTCRtpEncodingParameters {
  const frames = framerate === null ? {} : { maxFramerate: framerate };
  return { maxBitrate: Math.round(bitrate), ...frames };
}

function sizeOf(camera: MediaStreamTrack): Size {
  const { width, height } = camera.getSettings();
  return { width: width ?? USUAL.width, height: height ?? USUAL.height };
}
