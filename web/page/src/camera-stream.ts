// The camera that is open.
import { cameraProblem, openCamera } from "./camera.ts";
import type { Scope } from "./scope.ts";

/** What the person wants of the camera. */
export interface CameraWish {
  /** As `cameraChoices` names them. */
  camera: string;
  /** Lines of its picture. */
  lines: number;
}

export interface CameraEvents {
  opened(): void;
  /** It could not be opened, or is gone: why, in words. */
  failed(problem: string): void;
}

export class CameraStream {
  readonly #events: CameraEvents;
  #stream: MediaStream | null = null;
  /** Of two cameras being opened, the later one is meant. */
  #opening = 0;

  constructor(events: CameraEvents) {
    this.#events = events;
  }

  get stream(): MediaStream | null {
    return this.#stream;
  }

  get track(): MediaStreamTrack | null {
    return this.#stream?.getVideoTracks()[0] ?? null;
  }

  /** True if it is open now, and nobody has wanted anything else meanwhile. */
  async open(play: Scope, wish: CameraWish): Promise<boolean> {
    const mine = ++this.#opening;
    const overtaken = () => play.ended || mine !== this.#opening;
    try {
      const stream = await openCamera(navigator.mediaDevices, wish.camera, wish.lines);
      const track = stream.getVideoTracks()[0];
      if (overtaken() || track === undefined) {
        for (const each of stream.getTracks()) each.stop();
        return false;
      }
      this.#stream = stream;
      play.listen(track, "ended", () => {
        if (this.#stream === stream) this.#events.failed("The camera was disconnected.");
      });
      this.#events.opened();
      return true;
    } catch (error) {
      if (!overtaken()) this.#events.failed(cameraProblem(error));
      return false;
    }
  }

  drop(): void {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
  }
}
