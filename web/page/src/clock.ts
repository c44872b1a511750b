/** The wall clock that ran ahead by more than this since the last look: this device slept. */
const JUMP_MS = 5000;
/** Somebody may set the clock by years; nothing here waits for longer than this. */
const LONGEST_MS = 24 * 3600 * 1000;

/**
 * The time since the page was opened, in ms. It never goes back, and goes on while the device
 * sleeps, in which performance.now() stands still in some browsers.
 */
export class Clock {
  #monotonic: number;
  #wall: number;
  #now = 0;

  constructor(monotonic: number, wall: number) {
    this.#monotonic = monotonic;
    this.#wall = wall;
  }

  /** `monotonic` is performance.now(), and `wall` is Date.now(). */
  read(monotonic: number, wall: number): number {
    const passed = Math.max(0, monotonic - this.#monotonic);
    const byWall = Math.min(LONGEST_MS, wall - this.#wall);
    this.#now += byWall - passed > JUMP_MS ? byWall : passed;
    this.#monotonic = monotonic;
    this.#wall = wall;
    return this.#now;
  }
}

const clock = new Clock(performance.now(), Date.now());

/** The page's own clock, in ms. */
export function now(): number {
  return clock.read(performance.now(), Date.now());
}
