// Signs of life of the server: pure, time is an argument.

/** The server says something every 5 s. Later than this nobody can say that all is well. */
const QUIET_MS = 6000;
/** A connection on which nothing came for this long is dead. */
const DEAD_MS = 12_000;
/** And one on which nothing comes for at least this long after a sign of life was asked for. */
const REPLY_MS = 1500;

export type Life = "fine" | "quiet" | "dead";

/** Of one connection. */
export class Signs {
  #heard: number;
  #asked: number | null = null;
  readonly #replyMs: number;

  /** `openedMs`: how long it took to open, which on a slow line is long. */
  constructor(now: number, openedMs: number) {
    this.#heard = now;
    this.#replyMs = Math.max(REPLY_MS, 700 + 2 * openedMs);
  }

  /** Something came from the server. */
  heard(now: number): void {
    this.#heard = now;
    this.#asked = null;
  }

  /** There is reason for doubt. Whether a sign of life is to be asked for; one at a time is. */
  doubt(now: number): boolean {
    if (this.#asked !== null) return false;
    this.#asked = now;
    return true;
  }

  life(now: number): Life {
    const silent = now - this.#heard;
    const unanswered = this.#asked === null ? 0 : now - this.#asked;
    if (silent >= DEAD_MS || unanswered >= this.#replyMs) return "dead";
    return silent >= QUIET_MS ? "quiet" : "fine";
  }
}

/** So many of the last times between two frames that the server wanted count. */
const COUNTED = 4;
/** Where they are further apart than this, the server's signs of life come soon enough. */
const FAR_MS = 4000;

/** So soon it is not late, however close together frames were wanted. */
const SOON_MS = 1500;

/** When the server wanted frames, which tells when it is to want the next one. */
export class Wishes {
  #last: number | null = null;
  #apart: number[] = [];
  #told = false;

  /** It wants one. */
  came(now: number): void {
    this.#told = false;
    if (this.#last !== null) this.#apart = [...this.#apart, now - this.#last].slice(-COUNTED);
    this.#last = now;
  }

  /**
   * Whether it would have wanted the next one by now, if all were as before, when it asks every
   * `intervalMs`. True once for each.
   */
  overdue(now: number, intervalMs: number): boolean {
    if (this.#told || this.#last === null || this.#apart.length === 0) return false;
    // Frames that are lost are wanted again, much sooner.
    const usual = Math.max(intervalMs, ...this.#apart);
    this.#told = usual <= FAR_MS && now - this.#last >= Math.max(SOON_MS, 1.5 * usual);
    return this.#told;
  }

  /** The video is over, or pauses: no frame is expected until two more were wanted. */
  end(): void {
    this.#last = null;
    this.#apart = [];
  }
}

/** Tries in a row that were let wait for a reply, and got none, before they become fewer. */
const EAGER_TRIES = 12;

/** Nothing is known yet of the way to the server, or all that was known is of no use. */
const PATIENT_MS = 8000;

/**
 * How long a connection may take to open, and the server to say something by it, when so many
 * before it have got no reply at all, and one that did took `openedMs` to open; null if there was
 * none. Not long at first: a lost packet of an opening connection is sent again after 1, 3 and
 * 7 s, so that one that began in an outage would notice its end late.
 */
export function openingMs(unanswered: number, openedMs: number | null): number {
  if (openedMs === null || unanswered >= EAGER_TRIES) return PATIENT_MS;
  return Math.min(PATIENT_MS, Math.max(2500, 1500 + 4 * openedMs));
}

/** Offers in a row that may have gone by connections of before the network changed. */
const STALE_OFFERS = 2;

/**
 * How long the server may take to answer an offer, when its WebSocket took `openedMs` to open, so
 * many offers before this one got no reply, and one took `answeredMs`. A browser may send one by a
 * connection that it kept from before the network changed, and that leads nowhere: `changed` says
 * that this is likely.
 */
export function answerMs(
  openedMs: number,
  unanswered: number,
  changed: { answeredMs: number } | null,
): number {
  const usual =
    changed === null ? 3000 + 4 * openedMs : 500 + 1.5 * (openedMs + changed.answeredMs);
  const stale = changed === null ? 0 : STALE_OFFERS;
  return Math.min(15_000, usual * 2 ** Math.min(Math.max(0, unanswered - stale), 8));
}
