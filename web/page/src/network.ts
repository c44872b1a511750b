// What browsers tell of the network that this device is in.
import { now } from "./clock.ts";
import { Renewals } from "./renewals.ts";
import type { Scope } from "./scope.ts";

/** Shorter waits are over before they are read. */
const SAID_MS = 3000;

/** Network Information API; browsers have parts of it, or nothing. */
interface Information extends EventTarget {
  /** "wifi", "cellular" and the like, on phones. */
  type?: string;
}

export interface NetworkEvents {
  /** Something is another now, which may be no more than an estimate of its speed. */
  doubtful(): void;
  /** This device reaches the server by another way: connections are to be made anew. */
  changed(): void;
  /** The network changes so often that this is waited with until then, by `now()`. */
  waiting(until: number | null): void;
}

export class Network {
  readonly #scope: Scope;
  readonly #events: NetworkEvents;
  readonly #renewals = new Renewals();
  #cancel: (() => void) | null = null;

  constructor(scope: Scope, events: NetworkEvents) {
    this.#scope = scope;
    this.#events = events;
    scope.listen(window, "online", () => this.changed());
    scope.listen(window, "offline", () => events.doubtful());
    const information = (navigator as { connection?: Information }).connection;
    if (information === undefined) return;
    let type = information.type;
    scope.listen(information, "change", () => {
      const before = type;
      type = information.type;
      // Chromium tells of each new estimate of speed in the same way.
      if (type === before) events.doubtful();
      else this.changed();
    });
  }

  /** The network has changed, whoever has found that out. */
  changed(): void {
    if (this.#cancel !== null) return;
    const at = now();
    const wait = this.#renewals.wait(at);
    if (wait > 0) {
      if (wait > SAID_MS) this.#events.waiting(at + wait);
      this.#cancel = this.#scope.after(wait, () => this.#renew());
    } else this.#renew();
  }

  #renew(): void {
    this.#cancel = null;
    this.#renewals.made(now());
    this.#events.waiting(null);
    this.#events.changed();
  }
}
