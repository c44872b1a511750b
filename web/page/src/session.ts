// One viewer with one video: joins the socket, the video, the settings and the answers.

import type { Answer } from "./answers.ts";
import { Assembler, answerOf, History, Known } from "./answers.ts";
import type { OfferReply } from "./api.ts";
import { postOffer, Refused } from "./api.ts";
import { now } from "./clock.ts";
import { Network } from "./network.ts";
import type { Shown } from "./picture.ts";
import type { Problem, Problems } from "./problems.ts";
import type { ClientMessage, ServerMessage, ServerMessageOf, SessionStatus } from "./protocol.ts";
import type { Scope } from "./scope.ts";
import { askNow, hangUp, iceCandidate, relayFailed, sendPictures } from "./send.ts";
import { newSessionId } from "./session-id.ts";
import type { Confirmation } from "./settings.ts";
import { SettingsKeeper } from "./settings-keeper.ts";
import { Signal } from "./signal.ts";
import { Wishes } from "./signs.ts";
import type { SocketState, Why } from "./socket.ts";
import { Socket } from "./socket.ts";
import type { Preferences } from "./stored.ts";
import type { VideoState } from "./video.ts";
import { Video } from "./video.ts";
import type { Words } from "./words.ts";
import { connectionWords, sentence, vlmErrorWords } from "./words.ts";

/** A server that is there and refuses this often does not want this session: ask for another. */
const REFUSALS = 3;
/** The server's names for relays are good for twice as long. */
const RELAYS_LAST_MS = 6 * 3_600_000;
/** How often to see what time alone has changed. */
const LOOK_MS = 250;
/** Nothing of this page ran for this long: the device slept, and the server has given it up. */
const SLEPT_MS = 12_000;

export class Session {
  readonly connection = new Signal<Words>();
  readonly video = new Signal<{ state: VideoState; stream: MediaStream | null }>();
  readonly partial = new Signal<{ text: string; model: string }>();
  /** Why there is no answer, in words. */
  readonly failed = new Signal<Problem>();
  readonly answer = new Signal<Answer>();
  /** How many questions were not asked as too little had changed. */
  readonly saved = new Signal<number>();
  readonly history = new History();
  /** What was being written comes no more, or not here. */
  readonly interrupted = new Signal<void>();
  /** The server wants a sign-in; `resume` goes on after it. */
  readonly signedOut = new Signal<void>();
  readonly settings: SettingsKeeper;

  readonly #preferences: Preferences;
  readonly #problems: Problems;
  readonly #socket: Socket;
  readonly #player: Video;
  readonly #network: Network;
  readonly #assembler = new Assembler();
  #id = newSessionId();
  #socketState: SocketState = { is: "connecting", why: "start" };
  #videoState: VideoState = "off";
  /** Why the server has ended the video, in its words, until there is video again. */
  #videoEnded = "";
  #known = new Known();
  readonly #wishes = new Wishes();
  #looked = now();
  /** As the server said last, and when. */
  #iceServers: RTCIceServer[] = [];
  #iceServersAt = 0;
  /** The first status of a connection tells whether our video is still there. */
  #greeting: SessionStatus | null = null;
  #greeted = false;

  /** `preview` is to show the stream of `video`. */
  constructor(scope: Scope, preferences: Preferences, problems: Problems, preview: Shown) {
    this.#preferences = preferences;
    this.settings = new SettingsKeeper(preferences, (message) => this.#send(message));
    this.#problems = problems;
    this.#player = new Video(scope, {
      preview,
      line: {
        waiting: () => this.#socket.waiting,
        send: (bytes) => void this.#socket.sendBytes(bytes),
      },
      send: () => preferences.send,
      sendPictures: () => this.#send(sendPictures()),
      ready: () => this.#ready(),
      openedMs: () => this.#socket.openedMs,
      iceServers: () => this.#iceServers,
      offer: (sdp, onDemand, signal) => this.#offer(sdp, onDemand, signal),
      candidate: (candidate, mLine) => this.#send(iceCandidate(candidate, mLine)),
      hangUp: () => this.#send(hangUp()),
      relayFailed: (failure) => this.#send(relayFailed(failure)),
      state: (state, stream) => {
        this.#videoState = state;
        if (state !== "live") this.#wishes.end();
        if (state === "off") problems.set("vlm", null);
        this.video.emit({ state, stream });
        this.#tell();
      },
      deaf: () => this.#socket.doubt(),
      moved: () => this.#network.changed(),
      cameraProblem: (message) => problems.set("camera", message),
      mediaProblem: (message, retryAt) =>
        problems.set("media", message === null ? null : sentence(message), retryAt),
    });
    this.#network = new Network(scope, {
      doubtful: () => this.#socket.doubt(),
      changed: () => this.#renew("network"),
      waiting: (until) => {
        const message = "The network of this device keeps changing.";
        problems.set("network", until === null ? null : message, until);
      },
    });
    this.#socket = new Socket(scope, {
      url: () => socketUrl(location.href, this.#id),
      state: (state) => this.#socketChanged(state),
      message: (message) => this.#read(message),
    });
    scope.listen(window, "pagehide", () => this.#player.leave());
    scope.listen(window, "pageshow", (event) => {
      if (event.persisted) this.#renew("start");
    });
    scope.every(LOOK_MS, () => this.#look());
  }

  get playing(): boolean {
    return this.#player.playing;
  }

  play(): void {
    void this.#player.play(this.#preferences);
  }

  stop(): void {
    this.#player.stop();
  }

  /** Asks about what the camera shows now, before the next question would be due. */
  askNow(): void {
    this.#send(askNow());
  }

  /** The person has chosen another camera, or another size of its picture. */
  switchCamera(): void {
    void this.#player.switchCamera(this.#preferences);
  }

  /** The person has chosen what is to be sent. */
  sendChanged(): void {
    this.#player.sendChanged();
  }

  /** After signing in again: a new session. */
  resume(): void {
    this.#newId();
    this.#socket.restart("start");
  }

  /** Sees what time alone has changed. */
  #look(): void {
    const at = now();
    const slept = at - this.#looked >= SLEPT_MS;
    this.#looked = at;
    const interval = this.settings.applied?.choices.interval;
    if (interval && this.#wishes.overdue(at, 1000 * interval)) this.#socket.doubt();
    if (!this.#socket.look(at)) return;
    // What is wrong with the one connection is often wrong with the other.
    if (slept || this.#player.doubtful) this.#renew("loss");
    else this.#socket.restart("loss");
  }

  /** Video and messages go by new connections, at once. */
  #renew(why: Why): void {
    if (this.#socket.paused) return;
    this.#player.renew();
    this.#socket.restart(why);
  }

  /** A new socket brings new names for relays. */
  #ready(): boolean {
    const outdated = now() - this.#iceServersAt > RELAYS_LAST_MS;
    if (outdated && this.#iceServers.length > 0 && this.#socket.open) this.#socket.restart("start");
    return this.#socket.open;
  }

  #send(message: ClientMessage): void {
    this.#socket.send(message);
  }

  async #offer(sdp: string, onDemand: boolean, signal: AbortSignal): Promise<OfferReply> {
    this.#assembler.reset();
    try {
      return await postOffer(sdp, this.#id, onDemand, signal);
    } catch (error) {
      if (error instanceof Refused && wantsSignIn(error.code)) this.#socket.pause();
      if (!(error instanceof Refused && isNotOurs(error.code))) throw error;
      this.#anotherId();
      throw new Refused(error.message, error.code, null, 1);
    }
  }

  #newId(): void {
    this.#id = newSessionId();
    this.#known = new Known();
  }

  /** The server does not take ours. */
  #anotherId(): void {
    this.#newId();
    // Visiting the page renews the cookie by which the server knows this browser.
    void fetch(".", { cache: "no-store" })
      .catch(() => {})
      .then(() => this.#socket.restart("start"));
  }

  #socketChanged(state: SocketState): void {
    this.#socketState = state;
    if (state.is !== "open") {
      this.#greeting = null;
      this.#greeted = false;
      this.#player.serverGone();
      this.#problems.set("vlm", null);
      this.interrupted.emit();
    }
    if (state.is === "signed out") {
      // No camera runs behind a form.
      this.stop();
      this.#problems.set("server", null);
      this.signedOut.emit();
    }
    if (state.is === "gone" && state.refused && state.failures % REFUSALS === 0) this.#newId();
    this.#tell();
  }

  #tell(): void {
    this.connection.emit(connectionWords(this.#socketState, this.#videoState, this.#videoEnded));
  }

  #read(message: ServerMessage): void {
    switch (message.type) {
      case "status":
        this.#status(message);
        break;
      case "server_config":
        this.#config(message);
        break;
      case "settings_updated":
      case "model_updated":
        this.#confirm(message);
        break;
      case "answer_delta":
        this.#delta(message);
        break;
      case "vlm_response":
        this.#response(message);
        break;
      case "history":
        this.#missed(message);
        break;
      case "vlm_error":
        this.#vlmError(message);
        break;
      case "closing":
        this.#problems.set("server", sentence(message.message));
        break;
      case "error":
        this.#refused(message);
        break;
      case "frame_wanted":
        this.#wishes.came(now());
        this.#player.frameWanted(message);
        break;
      case "frames":
        this.#player.sendAs(message.mode);
        break;
      case "alive":
      case "prompt_updated":
      case "processing_updated":
      case "max_latency_updated":
      case "debug_updated":
      case "debug":
        break;
    }
  }

  #delta(message: ServerMessageOf<"answer_delta">): void {
    this.#problems.set("vlm", null);
    const text = this.#assembler.delta(message);
    if (text === null) return;
    this.history.passed();
    this.partial.emit({ text, model: message.model ?? "" });
  }

  #vlmError({ message, retry_in_ms }: ServerMessageOf<"vlm_error">): void {
    this.#problems.set("vlm", null);
    // What is asked again at once is not worth a countdown.
    const retryAt = retry_in_ms === null || retry_in_ms < 500 ? null : now() + retry_in_ms;
    this.history.passed();
    this.failed.emit({ message: vlmErrorWords(message, retry_in_ms !== null), retryAt });
  }

  #response(message: ServerMessageOf<"vlm_response">): void {
    this.#problems.set("vlm", null);
    const answer = this.#assembler.complete(message, Date.now());
    this.saved.emit(message.metrics.unchanged);
    this.#known.add(message);
    if (answer !== null) this.#answered(answer);
  }

  /** What was answered while the connection was away. */
  #missed({ answers }: ServerMessageOf<"history">): void {
    for (const answer of answers) {
      if (this.#known.add(answer)) this.#answered(answerOf(answer, answer.at_ms));
    }
  }

  #answered(answer: Answer): void {
    this.history.answered(answer);
    this.answer.emit(answer);
  }

  #status({ status, text, unchanged }: ServerMessageOf<"status">): void {
    this.saved.emit(unchanged);
    if (status === "Failed") this.#videoEnded = text;
    else if (status === "Live") this.#videoEnded = "";
    if (this.#greeted) this.#player.serverSaid(status);
    else this.#greeting = status;
  }

  #config(config: ServerMessageOf<"server_config">): void {
    this.#assembler.reset();
    this.#problems.set("server", null);
    this.#iceServers = iceServers(config);
    this.#iceServersAt = now();
    this.settings.config(config);
    // Only now is it known which relays there are.
    this.#greeted = true;
    if (this.#greeting !== null) this.#player.serverCame(this.#greeting);
  }

  #confirm(message: Confirmation): void {
    this.#problems.set("server", null);
    this.settings.confirm(message);
  }

  #refused(error: ServerMessageOf<"error">): void {
    if (isNotOurs(error.code)) {
      this.#anotherId();
      return;
    }
    if (wantsSignIn(error.code)) {
      this.#socket.pause();
      return;
    }
    // Video took the place of the pictures meanwhile, or the other way round.
    if (error.code === "unasked") return;
    if (error.code === "too_large") {
      this.#player.pictureTooLarge();
      return;
    }
    if (error.code === "not_allowed" && error.field === "type") {
      this.#player.picturesRefused();
      return;
    }
    if (this.settings.refused(error)) return;
    const retryAt = error.retry_after_s === null ? null : now() + error.retry_after_s * 1000;
    // What keeps questions from being asked is over with the next answer.
    const kind = isOfQuestions(error.limit) ? "vlm" : "server";
    this.#problems.set(kind, sentence(error.message), retryAt);
  }
}

/** Somebody else has this id, or the server does not take it. */
function isNotOurs(code: string): boolean {
  return code === "session_taken" || code === "bad_session_id";
}

function iceServers(config: ServerMessageOf<"server_config">): RTCIceServer[] {
  return config.ice_servers.map(({ urls, username, credential }) => ({
    urls: [...urls],
    ...(username === null ? {} : { username }),
    ...(credential === null ? {} : { credential }),
  }));
}

function isOfQuestions(limit: string | null): boolean {
  return limit !== null && /^(questions|tokens)_/.test(limit);
}

function wantsSignIn(code: string): boolean {
  return code === "sign_in_required" || code === "sign_in_failed";
}

export function socketUrl(page: string, sessionId: string): string {
  const url = new URL(`ws?session_id=${sessionId}`, page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  return url.href;
}
