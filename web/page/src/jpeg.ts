// Pictures as JPEG, for when video does not get through.
import { now } from "./clock.ts";
import type { Shown, Size } from "./picture.ts";
import { Canvas, fitted, sizeOf } from "./picture.ts";

const QUALITY = 0.85;
/** A server takes no larger ones, if it says nothing else. */
const MOST_BYTES = 2 * 1024 * 1024;
/** Every server takes these. */
const LEAST_BYTES = 48 * 1024;
/** One that is too large is made anew, smaller, so often. */
const TRIES = 4;
/** Before the JPEG: which frame it is, and how old. */
const HEADER_BYTES = 8;

/** The binary message that answers the `frame_wanted` of this number. */
export function pictureMessage(seq: number, ageMs: number, jpeg: Uint8Array) {
  const message = new Uint8Array(HEADER_BYTES + jpeg.byteLength);
  const header = new DataView(message.buffer);
  header.setUint32(0, seq >>> 0);
  header.setUint32(4, Math.max(0, Math.round(ageMs)) >>> 0);
  message.set(jpeg, HEADER_BYTES);
  return message;
}

/** How large a picture is to be made that has `bytes` and is to have no more than `most`. */
export function smaller(size: Size, bytes: number, most: number): Size {
  const scale = Math.max(0.25, 0.9 * Math.sqrt(most / bytes));
  return fitted(size, Math.max(1, Math.floor(Math.max(size.width, size.height) * scale)));
}

/** Makes them, one after the other. */
export class JpegMaker {
  readonly #canvas = new Canvas();
  #most = MOST_BYTES;
  #last = MOST_BYTES;

  /** The last one was too large for the server. */
  tooLarge(): void {
    this.#most = Math.max(LEAST_BYTES, Math.floor(0.7 * Math.min(this.#last, this.#most)));
  }

  /**
   * What the video shows now, with this longest edge at most (0 = as it is), and when that was by
   * `now()`; null if there is nothing to be seen or the browser makes none.
   */
  async make(video: Shown, longest: number): Promise<{ jpeg: Uint8Array; at: number } | null> {
    const shown = sizeOf(video);
    if (shown === null) return null;
    let size = fitted(shown, longest);
    for (let tries = 0; tries < TRIES; tries++) {
      const at = now();
      this.#canvas.draw(video, size);
      const jpeg = await encoded(this.#canvas.element);
      if (jpeg === null) return null;
      const bytes = HEADER_BYTES + jpeg.byteLength;
      this.#last = bytes;
      if (bytes <= this.#most) return { jpeg, at };
      size = smaller(size, bytes, this.#most);
    }
    return null;
  }
}

/** Chromium lets `toBlob` wait for up to a second while the page is not seen. */
async function encoded(canvas: HTMLCanvasElement): Promise<Uint8Array | null> {
  if (document.hidden) return fromDataUrl(canvas.toDataURL("image/jpeg", QUALITY));
  const blob = await new Promise<Blob | null>((resolve) => {
    canvas.toBlob(resolve, "image/jpeg", QUALITY);
  });
  return blob === null ? null : new Uint8Array(await blob.arrayBuffer());
}

/** Null if it is none of a JPEG. */
export function fromDataUrl(url: string): Uint8Array | null {
  const start = "data:image/jpeg;base64,";
  if (!url.startsWith(start)) return null;
  return Uint8Array.from(atob(url.slice(start.length)), (letter) => letter.charCodeAt(0));
}
