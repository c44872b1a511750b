// Whether this page sends pictures in place of video.
import type { FramesMode } from "./protocol.ts";

/** What the person wants: pictures only where video does not get through, or one of the two. */
export const SENDS = ["automatic", "video", "pictures"] as const;
export type Send = (typeof SENDS)[number];

export class Pictures {
  readonly #choice: () => Send;
  readonly #tell: (on: boolean) => void;
  /** Video does not get through, as far as is known. */
  #needed = false;
  /** The server wants them, whatever this page has said. */
  #demanded = false;
  /** As this page has told the server. */
  #on = false;

  constructor(choice: () => Send, tell: (on: boolean) => void) {
    this.#choice = choice;
    this.#tell = tell;
  }

  /** Pictures are sent just now. */
  get sent(): boolean {
    return this.#on || this.#demanded;
  }

  /** Video is not even tried. */
  get only(): boolean {
    return this.#choice() === "pictures" || this.#demanded;
  }

  /** They are sent because video does not get through. */
  get instead(): boolean {
    return this.#needed && !this.only;
  }

  /** Video does not get through. True if pictures are sent in its place. */
  unreached(): boolean {
    this.#needed = this.#choice() === "automatic";
    this.#set(this.#needed || this.only);
    return this.#needed;
  }

  /** Video gets through. */
  reached(): void {
    this.#needed = false;
    if (!this.only) this.#set(false);
  }

  /** A connection begins. What is sent goes on until video gets through. */
  begin(): void {
    if (this.#choice() === "video") this.#needed = false;
    if (this.only || this.#needed) this.#set(true);
  }

  end(): void {
    this.#set(false);
  }

  /** The server says how it wants the video. */
  told(mode: FramesMode): void {
    this.#demanded = mode === "pictures" && !this.#on;
  }

  /** The server is gone, and with it what it was told and what it has said. */
  forgotten(): void {
    this.#on = false;
    this.#demanded = false;
  }

  #set(on: boolean): void {
    if (this.#on === on) return;
    this.#on = on;
    this.#tell(on);
  }
}
