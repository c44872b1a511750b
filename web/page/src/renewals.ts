// How often connections are made anew because the network has changed: pure, time is an argument.

const FIRST_MS = 2000;
const MOST_MS = 60_000;

/** At once the first time, and ever more seldom while it keeps happening. */
export class Renewals {
  #last: number | null = null;
  #pause = FIRST_MS;

  /** How long to wait before the next one, in ms. */
  wait(now: number): number {
    return this.#last === null ? 0 : Math.max(0, this.#last + this.#pause - now);
  }

  /** One is made now. */
  made(now: number): void {
    const calm = this.#last === null || now - this.#last >= 2 * this.#pause + FIRST_MS;
    this.#pause = calm ? FIRST_MS : Math.min(MOST_MS, 2 * this.#pause);
    this.#last = now;
  }
}
