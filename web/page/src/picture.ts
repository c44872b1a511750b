// The picture that a video element shows just now.
import type { Scope } from "./scope.ts";

export interface Size {
  width: number;
  height: number;
}

/** As much of a video element as a picture is taken from. */
export type Shown = HTMLVideoElement;

/** The size of the picture as it is shown; null while there is none. */
export function sizeOf(video: Shown): Size | null {
  const { videoWidth: width, videoHeight: height } = video;
  const none = video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || width === 0;
  return none ? null : { width, height };
}

/** Runs `then` once `stream` has a picture there: at once, if it has. */
export function whenShown(
  scope: Scope,
  video: Shown,
  stream: MediaStream,
  then: (size: Size) => void,
): void {
  const waiting = scope.child();
  const look = () => {
    const size = video.srcObject === stream ? sizeOf(video) : null;
    if (size === null) return;
    waiting.end();
    then(size);
  };
  waiting.listen(video, "loadeddata", look);
  look();
}

/** As large as may be with `longest` as the longest edge; 0 = as it is. Never larger than it is. */
export function fitted({ width, height }: Size, longest: number): Size {
  const scale = longest === 0 ? 1 : Math.min(1, longest / Math.max(width, height));
  const scaled = (edge: number) => Math.max(1, Math.round(edge * scale));
  return { width: scaled(width), height: scaled(height) };
}

/** A canvas that is read more often than it is drawn to, as long as it is kept. */
export class Canvas {
  readonly element = document.createElement("canvas");
  readonly #context: CanvasRenderingContext2D | null;

  constructor() {
    // In memory, not on a GPU, from which each picture would have to be read back.
    this.#context = this.element.getContext("2d", { alpha: false, willReadFrequently: true });
  }

  get works(): boolean {
    return this.#context !== null;
  }

  draw(video: Shown, { width, height }: Size): void {
    const { element } = this;
    // Setting either empties it, which an unchanged picture does not need.
    if (element.width !== width) element.width = width;
    if (element.height !== height) element.height = height;
    this.#context?.drawImage(video, 0, 0, width, height);
  }
}
