import { whoAmI } from "./account.ts";
import { backoffMs } from "./backoff.ts";
import { now } from "./clock.ts";
import type { ClientMessage, ServerMessage } from "./protocol.ts";
import { parseServerMessage } from "./protocol.ts";
import { Scope } from "./scope.ts";

export type SocketState =
  | { is: "connecting" }
  | { is: "open" }
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

  constructor(scope: Scope, events: SocketEvents) {
    this.#scope = scope;
    this.#events = events;
    const again = () => this.#waiting() && this.#connect();
    scope.listen(window, "online", again);
    scope.listen(document, "visibilitychange", () => document.hidden || again());
    scope.own(() => this.#attempt.end());
    this.#connect();
  }

  get open(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** False if there is no connection; nothing is kept for later then. */
  send(message: ClientMessage): boolean {
    if (!this.open) return false;
    this.#socket?.send(JSON.stringify(message));
    return true;
  }

  /** Leaves this connection and makes a new one at once. */
  restart(): void {
    this.#paused = false;
    this.#connect();
  }

  /** Leaves this connection, until `restart`. */
  pause(): void {
    this.#paused = true;
    this.#attempt.end();
    this.#events.state({ is: "signed out" });
  }

  #waiting(): boolean {
    return this.#socket === null && !this.#paused;
  }

  #connect(): void {
    this.#attempt.end();
    if (this.#scope.ended) return;
    const attempt = this.#scope.child();
    this.#attempt = attempt;
    this.#events.state({ is: "connecting" });

    const socket = new WebSocket(this.#events.url());
    this.#socket = socket;
    let opened = false;
    let greeted = false;
    attempt.own(() => {
      this.#socket = null;
      socket.close();
    });
    attempt.listen(socket, "open", () => {
      opened = true;
      this.#events.state({ is: "open" });
    });
    attempt.listen(socket, "message", (event) => {
      const message = read((event as MessageEvent).data);
      if (message === null) return;
      if (!greeted && message.type === "error") {
        this.#pauseMs = (message.retry_after_s ?? 0) * 1000;
      } else {
        // Not at "open": a server that takes connections only to drop them must be left alone too.
        this.#failures = 0;
        greeted = true;
      }
      this.#events.message(message);
    });
    attempt.listen(socket, "close", () => {
      this.#socket = null;
      void this.#lost(attempt, opened);
    });
  }

  async #lost(attempt: Scope, opened: boolean): Promise<void> {
    const failures = this.#failures++;
    const wait = Math.max(backoffMs(failures), this.#pauseMs);
    this.#pauseMs = 0;
    const retryAt = now() + wait;
    attempt.after(wait, () => this.#connect());
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
