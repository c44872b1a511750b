// How much an encoder may send: pure, time is an argument.
//
// For single frames nobody can say to a browser how large one may be. But its encoder divides the
// rate by the frames that it expects in a second: those of the last second, and if these were
// fewer than two, as many as it is allowed. So the two together bound a frame's size.
import type { Size } from "./picture.ts";

/** What the encoder is allowed: bits a second, and frames a second (null = as many as come). */
export interface Rate {
  bitrate: number;
  framerate: number | null;
}

/** Of the whole video. */
export const WHOLE: Rate = { bitrate: 1_500_000, framerate: null };

/**
 * While Chromium measures what the line carries. How fast it measures the line to be is how fast it
 * sends a frame later. At the video's own rate a key frame would go out in pieces, 40 ms apart, so
 * this is more.
 */
export const MEASURING: Rate = { bitrate: 6_000_000, framerate: 30 };

/** What a frame of 640x480 is to have, in bytes; larger ones get more, though fewer for a pixel. */
const FRAME_BYTES = 16_000;
const FRAME_PIXELS = 640 * 480;
const BY_PIXELS = 0.63;

/** Frames that are at least this far apart are rare, in ms. */
const RARE_MS = 750;
/** How many frames a second the rate of those that are not may be for. */
const MOST_A_SECOND = 6;

/** In bits. */
export function frameBits({ width, height }: Size): number {
  return 8 * FRAME_BYTES * ((width * height) / FRAME_PIXELS) ** BY_PIXELS;
}

/** The rate for frames that are given one by one. */
export class FrameRates {
  /** Firefox gives each frame again after a second, and these must not be in the others' way. */
  readonly #repeats: boolean;
  #last = Number.NEGATIVE_INFINITY;

  constructor(repeats: boolean) {
    this.#repeats = repeats;
  }

  /** Of rare frames of this size. */
  rare(size: Size): Rate {
    const bits = frameBits(size);
    return this.#repeats
      ? { bitrate: 3 * bits, framerate: null }
      : { bitrate: 2 * bits, framerate: 2 };
  }

  /** For a frame of this size that is given now, and the next one `spacingMs` later, if known. */
  next(now: number, size: Size, spacingMs: number | null): Rate {
    const gap = Math.min(now - this.#last, spacingMs ?? RARE_MS);
    this.#last = now;
    if (gap >= RARE_MS) return this.rare(size);
    const aSecond = Math.min(MOST_A_SECOND, Math.max(2, Math.ceil(1200 / gap)));
    return { bitrate: aSecond * frameBits(size), framerate: 30 };
  }
}
