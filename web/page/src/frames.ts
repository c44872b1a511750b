// Answers the server when it wants a frame: through the video, or by a JPEG.
import { now } from "./clock.ts";
import { JpegMaker, pictureMessage } from "./jpeg.ts";
import type { Peer } from "./peer.ts";
import type { Shown } from "./picture.ts";
import { whenShown } from "./picture.ts";
import { Scope } from "./scope.ts";

/** As `frame_wanted` says it. */
export interface Wanted {
  seq: number;
  /** How many, so many seconds apart: more than one for a clip. */
  frames: number;
  spacing: number;
  /** The longest edge in pixels; 0 = as the camera gives it. */
  max_size: number;
}

/** A server wants no more of them for one question. */
const MOST_FRAMES = 32;
/** How often to see whether a picture has left. */
const LOOK_MS = 50;

export interface PictureLine {
  /** Bytes that have not left yet. */
  waiting(): number;
  send(bytes: Uint8Array<ArrayBuffer>): void;
}

export class Frames {
  readonly #preview: Shown;
  readonly #line: PictureLine;
  readonly #jpegs = new JpegMaker();
  #waiting = new Scope();
  #making = false;
  /** Makes the newest picture that is wanted. */
  #next: (() => Promise<void>) | null = null;
  #cancelLook = () => {};

  /** `preview` shows the stream of each call, now or in a moment. */
  constructor(preview: Shown, line: PictureLine) {
    this.#preview = preview;
    this.#line = line;
  }

  /** Gives the frames through the video. */
  give(scope: Scope, stream: MediaStream, peer: Peer, wanted: Pick<Wanted, "frames" | "spacing">) {
    const spacingMs = wanted.frames > 1 ? 1000 * wanted.spacing : null;
    const one = () => {
      // Whoever waits for a picture still waits for the same one.
      this.#waiting.end();
      this.#waiting = scope.child();
      whenShown(this.#waiting, this.#preview, stream, (size) => {
        void peer.give(this.#preview, size, spacingMs);
      });
    };
    one();
    for (let later = 1; later < Math.min(wanted.frames, MOST_FRAMES); later++) {
      scope.after(later * (spacingMs ?? 0), one);
    }
  }

  /**
   * Sends one picture as JPEG. On a line on which the one before is still leaving this waits, and
   * only the newest one wanted is made then.
   */
  picture(scope: Scope, stream: MediaStream, wanted: Wanted): void {
    this.#waiting.end();
    this.#waiting = scope.child();
    whenShown(this.#waiting, this.#preview, stream, () => {
      this.#next = () => this.#make(scope, wanted);
      void this.#run(scope);
    });
  }

  /** The last picture was too large for the server. */
  tooLarge(): void {
    this.#jpegs.tooLarge();
  }

  async #run(scope: Scope): Promise<void> {
    this.#cancelLook();
    if (this.#making || this.#next === null) return;
    if (this.#line.waiting() > 0) {
      this.#cancelLook = scope.after(LOOK_MS, () => void this.#run(scope));
      return;
    }
    const make = this.#next;
    this.#next = null;
    this.#making = true;
    await make();
    this.#making = false;
    await this.#run(scope);
  }

  async #make(scope: Scope, { seq, max_size }: Wanted): Promise<void> {
    if (scope.ended) return;
    const made = await this.#jpegs.make(this.#preview, max_size);
    if (scope.ended || made === null) return;
    this.#line.send(pictureMessage(seq, now() - made.at, made.jpeg));
  }
}
