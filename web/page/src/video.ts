// The person's video: wanted from Play to Stop, and brought back for as long as it is wanted.
import type { OfferReply } from "./api.ts";
import { Refused } from "./api.ts";
import { backoffMs } from "./backoff.ts";
import type { CameraWish } from "./camera-stream.ts";
import { CameraStream } from "./camera-stream.ts";
import { now } from "./clock.ts";
import { FrameTrack } from "./frame-track.ts";
import type { PictureLine, Wanted } from "./frames.ts";
import { Frames } from "./frames.ts";
import type { Path } from "./path.ts";
import { Peer, peerProblem } from "./peer.ts";
import type { Shown } from "./picture.ts";
import type { Send } from "./pictures.ts";
import { Pictures } from "./pictures.ts";
import type { FramesMode, SessionStatus } from "./protocol.ts";
import type { RelayFailure, Relays } from "./relays.ts";
import { Scope } from "./scope.ts";
import { answerMs } from "./signs.ts";

/** The server may say `Stopped` for the video before this one: wait and see. */
const GRACE_MS = 1500;
/** Video that lived this long was all right, so the next loss is a first one again. */
const STEADY_MS = 5000;
/** A connection without a picture for this long waits for one. */
const PICTURE_MS = 3000;
/** A connection that has not come about after this long probably will not, which is said. */
const UNREACHED_MS = 5000;
/**
 * While pictures are sent instead, video is tried again after so long, then ever more seldom. A try
 * takes the place of the pictures, so it may not take long.
 */
const VIDEO_AGAIN_MS = 60_000;
const MOST_DOUBLED = 4;
const TRY_MS = 2500;
/** The code by which a server refuses offers that takes nothing but pictures. */
const PICTURES_ONLY = "pictures_only";
const INSTEAD = "Video does not get through. The page sends pictures instead.";
const UNREACHED =
  "The video does not reach the server. A firewall between you and it may be blocking UDP.";

/** Enough for Chromium to measure a line by. */
const MEASURED_BY = { frames: 2, spacing: 0.15 };

export type VideoState =
  | "off"
  | "camera"
  | "connecting"
  /** Connected, and the server sees no picture. */
  | "waiting"
  | "live"
  | "again";

export interface VideoHost {
  /** Shows the stream of each `state`. */
  preview: Shown;
  line: PictureLine;
  /** What the person wants to be sent. */
  send(): Send;
  sendPictures(): void;
  /** Whether a connection can be begun. If not, `serverCame` follows. */
  ready(): boolean;
  /** Relays, for when the server is not reached directly. */
  iceServers(): RTCIceServer[];
  /** How long it took to reach the server last, in ms. */
  openedMs(): number;
  /** `onDemand`: single frames can be given. */
  offer(sdp: string, onDemand: boolean, signal: AbortSignal): Promise<OfferReply>;
  candidate(candidate: string, mLine: number): void;
  hangUp(): void;
  /** No relay was of use either. */
  relayFailed(failure: RelayFailure): void;
  state(state: VideoState, stream: MediaStream | null): void;
  /** Nothing comes from the server by the video's way. */
  deaf(): void;
  /** The video's way begins at another address. */
  moved(): void;
  cameraProblem(message: string | null): void;
  /** `retryAt` by `now()`. */
  mediaProblem(message: string | null, retryAt: number | null): void;
}

export class Video {
  readonly #scope: Scope;
  readonly #host: VideoHost;
  readonly #camera: CameraStream;
  readonly #frames: Frames;
  readonly #pictures: Pictures;
  /** From Play to Stop. */
  #play: Scope | null = null;
  /** One connection, or the wait for the next one. */
  #link = new Scope();
  #peer: Peer | null = null;
  #failures = 0;
  /** How often video was tried while pictures were sent instead. */
  #tries = 0;
  /** Offers in a row that got no reply at all. */
  #unanswered = 0;
  /** How long the last one took that got one. */
  #answeredMs: number | null = null;
  /** The network has changed since. */
  #changed = false;
  /** This connection has been up. */
  #reached = false;
  /** Nothing comes from the server on it. */
  #silent = false;
  /** The server has seen a picture since Play: what never was there is not lost. */
  #shown = false;
  #state: VideoState = "off";
  #problem: string | null = null;
  #cancelGrace = () => {};

  constructor(scope: Scope, host: VideoHost) {
    this.#scope = scope;
    this.#host = host;
    this.#camera = new CameraStream({
      opened: () => host.cameraProblem(null),
      failed: (problem) => {
        if (this.#peer !== null || this.#pictures.sent) host.hangUp();
        this.#end();
        host.cameraProblem(problem);
      },
    });
    this.#frames = new Frames(host.preview, host.line);
    this.#pictures = new Pictures(host.send, host.sendPictures);
  }

  get playing(): boolean {
    return this.#play !== null;
  }

  async play(wish: CameraWish): Promise<void> {
    if (this.#play !== null) return;
    const play = this.#scope.child();
    this.#play = play;
    this.#failures = 0;
    this.#unanswered = 0;
    this.#shown = false;
    play.own(() => this.#camera.drop());
    this.#say(null, null);
    this.#set("camera");
    if (await this.#camera.open(play, wish)) this.#connect();
  }

  stop(): void {
    if (this.#play === null) return;
    this.#host.hangUp();
    this.#end();
    this.#say(null, null);
  }

  /** The page is being left: the server notices by itself, and the page may yet come back. */
  leave(): void {
    this.#link.end();
    this.#peer = null;
  }

  /** There is a connection, and no sign that the server gets anything by it. */
  get doubtful(): boolean {
    return this.#peer !== null && (this.#silent || !this.#reached);
  }

  /** The network has changed: a new connection is made when `serverCame` says that it can be. */
  renew(): void {
    if (this.#camera.stream === null) return;
    this.#changed = true;
    this.#pictures.hopeful();
    this.leave();
    this.#set(this.#beginning());
  }

  async switchCamera(wish: CameraWish): Promise<void> {
    const play = this.#play;
    if (play === null) return;
    // Phones open one camera at a time, so the old one goes first.
    this.#camera.drop();
    if (!(await this.#camera.open(play, wish))) return;
    const { stream, track } = this.#camera;
    if (stream === null || track === null) return;
    const isUp = this.#peer !== null || this.#pictures.only;
    // The connection may have been lost while the person was asked for the camera.
    if (this.#state === "camera" || !isUp) {
      this.#connect();
      return;
    }
    try {
      await this.#peer?.replace(stream, track);
      this.#set(this.#state);
      this.#giveOne();
    } catch {
      this.#connect();
    }
  }

  /** The person wants something else to be sent. */
  sendChanged(): void {
    this.#pictures.hopeful();
    if (this.#camera.stream === null || !this.#host.ready()) return;
    // The connection that there is goes on until the server takes pictures in its place.
    if (this.#pictures.only) this.#pictures.begin();
    else if (this.#peer === null || this.#pictures.sent) this.#connect();
  }

  /** The server wants one, or several for a clip. */
  frameWanted(wanted: Wanted): void {
    if (this.#play === null || this.#camera.stream === null) return;
    if (this.#pictures.sent) this.#frames.picture(this.#play, this.#camera.stream, wanted);
    else if (this.#peer !== null) {
      this.#frames.give(this.#link, this.#camera.stream, this.#peer, wanted);
    }
  }

  /** The server says how it wants the video from now on. */
  sendAs(mode: FramesMode): void {
    this.#pictures.told(mode);
    if (mode !== "pictures") {
      // What cannot be done now is done with the next connection.
      this.#peer?.send(mode).catch(() => {});
    } else if (this.#pictures.sent) this.#byPictures();
  }

  /** The last picture was too large for the server. */
  pictureTooLarge(): void {
    this.#frames.tooLarge();
  }

  /** The server takes no pictures. */
  picturesRefused(): void {
    this.#pictures.refused();
    if (this.#peer === null) this.#connect();
    else if (!this.#reached) this.#unreached();
  }

  /** There is no connection to the server. */
  serverGone(): void {
    this.#pictures.forgotten();
  }

  /** The server can be reached (again). */
  serverCame(status: SessionStatus): void {
    if (this.#camera.stream === null) return;
    const gone = status === "Ready" || status === "Stopped" || status === "Failed";
    if (this.#peer === null || gone) {
      this.#connect();
      if (status === "Live" && this.#wantsPictures) this.#live();
    } else this.serverSaid(status);
  }

  serverSaid(status: SessionStatus): void {
    this.#cancelGrace();
    if (this.#peer === null && !this.#pictures.sent) return;
    if (status === "Live") this.#live();
    // It may be said of the video before this one.
    else if (status === "Waiting" && this.#reached) this.#set("waiting");
    else if (status === "Stopped" || status === "Failed") {
      const wasLive = this.#state === "live";
      this.#set(this.#beginning());
      const lost = () => (this.#pictures.sent ? this.#connect() : this.#lost());
      // Of the video before this one that would have come before this one was live.
      if (status === "Failed" && wasLive) lost();
      else this.#cancelGrace = this.#link.after(GRACE_MS, lost);
    }
  }

  #connected(): void {
    this.#reached = true;
    this.#silent = false;
    this.#tries = 0;
    this.#pictures.hopeful();
    this.#giveOne();
    this.#say(null, null);
    this.#link.after(PICTURE_MS, () => this.#state === "live" || this.#set("waiting"));
  }

  #live(): void {
    this.#shown = true;
    if (!this.#pictures.sent) {
      this.#reached = true;
      this.#peer?.arrived();
      this.#link.after(STEADY_MS, () => {
        this.#failures = 0;
      });
    }
    this.#say(this.#pictures.instead ? INSTEAD : null, null);
    this.#set("live");
  }

  /** Before the server says that it wants one. */
  #giveOne(): void {
    if (this.#peer === null || this.#camera.stream === null) return;
    this.#frames.give(this.#link, this.#camera.stream, this.#peer, { frames: 1, spacing: 0 });
  }

  #path(path: Path): void {
    this.#silent = path === "deaf" || path === "quiet";
    if (path === "moved") this.#host.moved();
    else if (path === "deaf") this.#host.deaf();
  }

  /** What a new connection is to the person. */
  #beginning(): VideoState {
    return this.#shown ? "again" : "connecting";
  }

  #connect(): void {
    this.leave();
    const { stream, track } = this.#camera;
    if (this.#play === null || stream === null || track === null) return;
    // From video to pictures and back is no loss.
    const goesOn = this.#state === "live" && (this.#wantsPictures || this.#pictures.sent);
    this.#set(goesOn ? "live" : this.#beginning());
    // What was wrong may be still, but it is not waited any more.
    this.#say(this.#problem, null);
    if (!this.#host.ready()) return; // serverCame brings us back here
    this.#reached = false;
    this.#silent = false;
    const link = this.#play.child();
    this.#link = link;
    if (this.#wantsPictures) this.#pictures.begin();
    else this.#connectVideo(link, stream, track);
  }

  get #wantsPictures(): boolean {
    return this.#pictures.only || this.#pictures.instead;
  }

  /** The server takes pictures, and no video any more. */
  #byPictures(): void {
    this.leave();
    if (this.#play === null) return;
    this.#link = this.#play.child();
    if (!this.#pictures.instead) return;
    const wait = VIDEO_AGAIN_MS * 2 ** Math.min(this.#tries++, MOST_DOUBLED);
    this.#link.after(wait, () => this.#tryVideo());
  }

  #tryVideo(): void {
    const { stream, track } = this.#camera;
    if (stream === null || track === null || !this.#host.ready()) return;
    this.#connectVideo(this.#link, stream, track);
  }

  #connectVideo(link: Scope, stream: MediaStream, camera: MediaStreamTrack): void {
    const answered = link.after(this.#patience(), () => {
      this.#unanswered++;
      this.#connect();
    });
    const frames = FrameTrack.make();
    if (frames !== null) link.own(() => frames.stop());
    try {
      const peer = new Peer(link, { stream, camera, frames }, this.#host.iceServers(), {
        offer: async (sdp, signal) => {
          const offered = now();
          const reply = await this.#host.offer(sdp, frames !== null, signal);
          answered();
          if (!link.ended) this.#answered(link, now() - offered);
          this.#pictures.replaced();
          return reply;
        },
        candidate: (candidate, mLine) => this.#host.candidate(candidate, mLine),
        connected: () => this.#connected(),
        measuring: () => this.#measuring(),
        path: (path) => this.#path(path),
        lost: () => this.#lost(),
      });
      this.#peer = peer;
      peer.negotiate().catch((error: unknown) => link.ended || this.#failed(error));
      // The encoder has its first frame by the time that the connection is there.
      this.#giveOne();
    } catch (error) {
      // No WebRTC, or none with these relays: another try would end alike.
      this.#end();
      this.#say(peerProblem(error), null);
    }
  }

  /** A line is measured by what goes through it. */
  #measuring(): void {
    if (this.#peer === null || this.#camera.stream === null) return;
    this.#frames.give(this.#link, this.#camera.stream, this.#peer, MEASURED_BY);
  }

  #patience(): number {
    const answeredMs = this.#answeredMs;
    const changed = this.#changed && answeredMs !== null ? { answeredMs } : null;
    return answerMs(this.#host.openedMs(), this.#unanswered, changed);
  }

  #answered(link: Scope, tookMs: number): void {
    this.#unanswered = 0;
    this.#answeredMs = tookMs;
    this.#changed = false;
    // Said before the browser gives up, which takes it ten seconds and more.
    const patience = this.#pictures.instead ? TRY_MS : UNREACHED_MS;
    link.after(patience, () => this.#reached || this.#unreached());
  }

  #unreached(): void {
    if (this.#pictures.unreached()) {
      this.#tellRelayFailure(this.#peer?.relays ?? null);
      this.#pictures.begin();
      return;
    }
    this.#set(this.#beginning());
    // It may have been said already, with more.
    if (!this.#problem?.startsWith(UNREACHED)) this.#say(UNREACHED, null);
  }

  #lost(): void {
    // The server gives it up when it takes pictures, and says so.
    if (this.#pictures.sent) return;
    if (this.#pictures.instead) {
      this.#connect();
      return;
    }
    const relays = this.#peer?.relays ?? null;
    this.leave();
    const wait = backoffMs(this.#failures++);
    if (!this.#reached) {
      this.#say(`${UNREACHED} ${relays?.words() ?? ""}`.trim(), now() + wait);
      this.#tellRelayFailure(relays);
    }
    this.#again(wait);
  }

  #tellRelayFailure(relays: Relays | null): void {
    const failure = relays?.failure() ?? null;
    if (failure !== null) this.#host.relayFailed(failure);
  }

  #failed(error: unknown): void {
    this.leave();
    if (error instanceof Refused && error.code === PICTURES_ONLY) this.#pictures.demanded();
    if (this.#wantsPictures) {
      this.#connect();
      return;
    }
    const wait = backoffMs(this.#failures++);
    if (!(error instanceof Refused)) {
      // No reply at all: if the server is gone, the WebSocket tells, and brings us back.
      this.#again(wait);
      return;
    }
    this.#unanswered = 0;
    if (error.retryAfterS === null) {
      this.#end();
      this.#say(error.message, null);
    } else {
      const retry = Math.max(wait, error.retryAfterS * 1000);
      this.#say(error.message, now() + retry);
      this.#again(retry);
    }
  }

  #again(wait: number): void {
    if (this.#play === null) return;
    this.#set(this.#beginning());
    this.#link = this.#play.child();
    this.#link.after(wait, () => this.#connect());
  }

  #say(problem: string | null, retryAt: number | null): void {
    this.#problem = problem;
    this.#host.mediaProblem(problem, retryAt);
  }

  #set(state: VideoState): void {
    this.#state = state;
    this.#host.state(state, this.#camera.stream);
  }

  #end(): void {
    this.leave();
    this.#pictures.replaced();
    this.#play?.end();
    this.#play = null;
    this.#set("off");
  }
}
