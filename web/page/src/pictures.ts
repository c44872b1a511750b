// Whether this page sends pictures in place of video.
import type { FramesMode } from "./protocol.ts";

/** What the person wants: pictures only where video does not get through, or one of the two. */
export const SENDS = ["automatic", "video", "pictures"] as const;
export type Send = (typeof SENDS)[number];

export class Pictures {
  readonly #choice: () => Send;
  readonly #tell: () => void;
  /** Video does not get through, as far as is known. */
  #needed = false;
  /** The server takes nothing else. */
  #demanded = false;
  /** The server takes none. */
  #refused = false;
  /** As this page has told the server. */
  #on = false;
  /** This page has told a server so before, which may remember it. */
  #hasBegun = false;

  /** `tell` tells the server that pictures come in place of video. */
  constructor(choice: () => Send, tell: () => void) {
    this.#choice = choice;
    this.#tell = tell;
  }

  /** Pictures are sent just now. */
  get sent(): boolean {
    return this.#on || this.#demanded;
  }

  /** Video is not even tried. */
  get only(): boolean {
    return this.#demanded || (this.#choice() === "pictures" && !this.#refused);
  }

  /** They are sent because video does not get through. */
  get instead(): boolean {
    return this.#needed && !this.only && this.#choice() === "automatic";
  }

  /** Video does not get through. True if pictures are to be sent in its place. */
  unreached(): boolean {
    this.#needed = !this.#refused;
    return this.instead;
  }

  /** Video gets through, or the network is another one, through which it may. */
  hopeful(): void {
    this.#needed = false;
  }

  begin(): void {
    this.#on = true;
    this.#hasBegun = true;
    this.#tell();
  }

  /** The server has answered an offer: it takes video from now on. */
  replaced(): void {
    this.#on = false;
  }

  /** The server says how it wants the video. */
  told(mode: FramesMode): void {
    if (mode !== "pictures") this.#demanded = false;
    else if (!this.#hasBegun) this.demanded();
  }

  /** The server takes nothing else. */
  demanded(): void {
    this.#demanded = true;
  }

  refused(): void {
    this.#refused = true;
    this.#needed = false;
    this.#on = false;
  }

  /** There is no connection to the server: the next one may know nothing of all this. */
  forgotten(): void {
    this.#on = false;
    this.#demanded = false;
    this.#refused = false;
  }
}
