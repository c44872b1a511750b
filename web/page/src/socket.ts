import { whoAmI } from "./account.ts";
import { isReached } from "./api.ts";
import { backoffMs } from "./backoff.ts";
import { now } from "./clock.ts";
import type { ClientMessage, ServerMessage } from "./protocol.ts";
import { parseServerMessage } from "./protocol.ts";
import { Scope } from "./scope.ts";
import { alive } from "./send.ts";
import { openingMs, Signs } from "./signs.ts";

/** Why a connection is made. */
export type Why =
  /** There was none before, or the page wants another session. */
  | "start"
  /** The one before is gone. */
  | "loss"
  /** The way to the server is another now. */
  | "network"
  /** The try before was turned down, or was ended by the server. */
  | "gone"
  /** The try before got no reply. */
  | "silence";

export type SocketState =
  | { is: "connecting"; why: Why }
  /** `quiet`: nothing has come for longer than usual. */
  | { is: "open"; quiet: boolean }
  /** `refused`: there is a server, but it did not take the connection. `retryAt` by `now()`. */
  | { is: "gone"; retryAt: number; refused: boolean; failures: number }
  /** The server wants a sign-in first; only `restart` tries again. */
  | { is: "signed out" };

export interface SocketEvents {
  url(): string;
  state(state: SocketState): void;
  message(message: ServerMessage): void;
}

/** One WebSocket that comes back by itself, for as long as its scope lives. */
export class Socket {
  readonly #scope: Scope;
  readonly #events: SocketEvents;
  #attempt = new Scope();
  #socket: WebSocket | null = null;
  #failures = 0;
  /** How long the server asked to be left alone, when it refused this page with words. */
  #pauseMs = 0;
  #paused = false;
  /** Tries in a row that got no reply at all. */
  #unanswered = 0;
  #began = 0;
  /** How long the last connection that came about took to open. */
  #openedMs: number | null = null;
  /** When the next try begins; null while one is made, or has come about. */
  #retryAt: number | null = null;
  /** The server has said something on this connection that is no refusal. */
  #greeted = false;
  /** Of this connection, once anything has come. */
  #signs: Signs | null = null;
  #quiet = false;

  constructor(scope: Scope, events: SocketEvents) {
    this.#scope = scope;
    this.#events = events;
    const again = () => this.#waiting() && this.#connect("gone");
    scope.listen(window, "online", again);
    scope.listen(document, "visibilitychange", () => {
      if (document.hidden) return;
      again();
      this.doubt();
    });
    scope.own(() => this.#attempt.end());
    this.#connect("start");
  }

  get open(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** How long the last connection that came about took to open. */
  get openedMs(): number {
    return this.#openedMs ?? 0;
  }

  /** False if there is no connection; nothing is kept for later then. */
  send(message: ClientMessage): boolean {
    if (!this.open) return false;
    this.#socket?.send(JSON.stringify(message));
    return true;
  }

  /** The same for what is no message of JSON. */
  sendBytes(bytes: Uint8Array<ArrayBuffer>): boolean {
    if (!this.open) return false;
    this.#socket?.send(bytes);
    return true;
  }

  /** Bytes that were sent and have not left yet. */
  get waiting(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Leaves this connection and makes a new one at once. */
  restart(why: Why): void {
    this.#paused = false;
    this.#connect(why);
  }

  /** Leaves this connection, until `restart`. */
  pause(): void {
    this.#paused = true;
    this.#attempt.end();
    this.#events.state({ is: "signed out" });
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** There is reason to doubt that the server still hears us: it is to say so. */
  doubt(): void {
    if (this.#signs?.doubt(now())) this.send(alive());
  }

  /** Sees what time alone has changed. True if this connection is dead. */
  look(at: number): boolean {
    if (this.#paused) return false;
    if (this.#retryAt !== null) {
      // A timer stands still while the device sleeps.
      if (at >= this.#retryAt) this.#connect("gone");
      return false;
    }
    if (this.#signs === null) {
      if (at - this.#began >= openingMs(this.#unanswered, this.#openedMs)) {
        this.#unanswered++;
        this.#connect("silence");
      }
      return false;
    }
    const life = this.#signs.life(at);
    this.#setQuiet(life !== "fine");
    return life === "dead";
  }

  #setQuiet(quiet: boolean): void {
    if (this.#quiet === quiet) return;
    this.#quiet = quiet;
    this.#events.state({ is: "open", quiet });
  }

  #waiting(): boolean {
    return this.#retryAt !== null && !this.#paused;
  }

  #connect(why: Why): void {
    this.#attempt.end();
    if (this.#scope.ended) return;
    const attempt = this.#scope.child();
    this.#attempt = attempt;
    this.#retryAt = null;
    this.#began = now();
    this.#events.state({ is: "connecting", why });
    if (why === "silence") void this.#probe(attempt);
    else this.#open(attempt);
  }

  /**
   * Asks in another way first whether the server is reached. Firefox lets WebSockets wait, in the
   * end for a minute, when those before have not come about.
   */
  async #probe(attempt: Scope): Promise<void> {
    const given = new AbortController();
    attempt.own(() => given.abort());
    const reached = await isReached(given.signal);
    if (attempt.ended) return;
    if (reached) {
      this.#began = now();
      this.#open(attempt);
    } else {
      this.#unanswered = 0;
      void this.#lost(attempt, true);
    }
  }

  #open(attempt: Scope): void {
    const socket = new WebSocket(this.#events.url());
    this.#socket = socket;
    this.#greeted = false;
    let opened = false;
    attempt.own(() => {
      this.#socket = null;
      this.#signs = null;
      this.#quiet = false;
      socket.close();
    });
    attempt.listen(socket, "open", () => {
      opened = true;
      this.#openedMs = now() - this.#began;
      this.#events.state({ is: "open", quiet: false });
    });
    attempt.listen(socket, "message", (event) => {
      const at = now();
      this.#signs ??= new Signs(at, this.#openedMs ?? 0);
      this.#signs.heard(at);
      this.#setQuiet(false);
      this.#unanswered = 0;
      const message = read(event.data);
      if (message !== null) this.#heard(message);
    });
    attempt.listen(socket, "close", () => {
      this.#unanswered = 0;
      this.#socket = null;
      this.#signs = null;
      this.#quiet = false;
      void this.#lost(attempt, opened);
    });
  }

  #heard(message: ServerMessage): void {
    if (!this.#greeted && message.type === "error") {
      this.#pauseMs = (message.retry_after_s ?? 0) * 1000;
    } else {
      // Not at "open": a server that takes connections only to drop them must be left alone too.
      this.#failures = 0;
      this.#greeted = true;
    }
    this.#events.message(message);
  }

  async #lost(attempt: Scope, opened: boolean): Promise<void> {
    const failures = this.#failures++;
    const wait = Math.max(backoffMs(failures), this.#pauseMs);
    this.#pauseMs = 0;
    const retryAt = now() + wait;
    this.#retryAt = retryAt;
    attempt.after(wait, () => this.#connect("gone"));
    const tell = (refused: boolean) =>
      this.#events.state({ is: "gone", retryAt, refused, failures: this.#failures });
    tell(false);
    // A browser does not say why a WebSocket failed, so ask in another way.
    if (opened) return;
    const who = await whoAmI();
    if (attempt.ended) return;
    if (who.is === "signed out") this.pause();
    else if (who.is === "signed in") tell(true);
  }
}

function read(data: unknown): ServerMessage | null {
  try {
    return parseServerMessage(JSON.parse(String(data)));
  } catch (error) {
    console.warn("a message from the server was not understood:", error);
    return null;
  }
}
