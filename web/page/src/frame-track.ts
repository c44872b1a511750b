// A video track that carries single frames, each when it is asked for.
import type { Shown, Size } from "./picture.ts";
import { Canvas } from "./picture.ts";

/** Chromium and Safari have `requestFrame` on the track, Firefox on the stream. */
type Requesting = { requestFrame?: () => void };

export class FrameTrack {
  readonly track: MediaStreamTrack;
  readonly #canvas: Canvas;
  readonly #request: () => void;

  private constructor(canvas: Canvas, track: MediaStreamTrack, request: () => void) {
    this.#canvas = canvas;
    this.track = track;
    this.#request = request;
  }

  /** Null in a browser that cannot do this. */
  static make(): FrameTrack | null {
    const canvas = new Canvas();
    if (!canvas.works || typeof canvas.element.captureStream !== "function") return null;
    const stream: MediaStream & Requesting = canvas.element.captureStream(0);
    const track: (MediaStreamTrack & Requesting) | undefined = stream.getVideoTracks()[0];
    if (track === undefined) return null;
    const asked = [track, stream].find(({ requestFrame }) => typeof requestFrame === "function");
    return asked === undefined ? null : new FrameTrack(canvas, track, () => asked.requestFrame?.());
  }

  /** Gives what the video shows now. */
  give(video: Shown, size: Size): void {
    this.#canvas.draw(video, size);
    this.#request();
  }

  stop(): void {
    this.track.stop();
  }
}
