// Cameras that show what a test knows, over and over.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { COLOURS, type Colour } from "./colours.ts";

export const WIDTH = 640;
export const HEIGHT = 480;
const FRAMES = 8;
const BLOCK = 64;
const CLIP = join(import.meta.dirname, "../media/big-buck-bunny.webm");

export interface Camera {
  /** A video file, which Chromium plays as its camera. */
  y4m: string;
  /** The same for Firefox, which does not. */
  shows: { colour: Colour } | { clip: string; size: { width: number; height: number } };
}

/** Makes each camera's file once, in a temporary folder. */
export class Cameras {
  readonly #folder: string;
  readonly #made = new Map<string, Promise<string>>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async make(): Promise<Cameras> {
    return new Cameras(await mkdtemp(join(tmpdir(), "live-vlm-cameras-")));
  }

  /** One colour all over, and a small block that moves, as real cameras never give still video. */
  async flat(colour: Colour): Promise<Camera> {
    const y4m = await this.#once(`${colour}.y4m`, (path) => writeFile(path, flatVideo(colour)));
    return { y4m, shows: { colour } };
  }

  /** Two seconds of Big Buck Bunny, 640 by 360. */
  async clip(): Promise<Camera> {
    const y4m = await this.#once("clip.y4m", async (path) => {
      const line = [
        ["filesrc", `location=${CLIP}`],
        ["decodebin"],
        ["videoconvert"],
        ["video/x-raw,format=I420"],
        ["y4menc"],
        ["filesink", `location=${path}`],
      ];
      const args = line.flatMap((element, at) => (at === 0 ? element : ["!", ...element]));
      await promisify(execFile)("gst-launch-1.0", ["-q", ...args], { timeout: 30_000 });
    });
    return { y4m, shows: { clip: CLIP, size: { width: 640, height: 360 } } };
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  #once(name: string, make: (path: string) => Promise<void>): Promise<string> {
    const path = join(this.#folder, name);
    const made = this.#made.get(name) ?? make(path).then(() => path);
    this.#made.set(name, made);
    return made;
  }
}

function flatVideo(colour: Colour): Buffer {
  const [y, u, v] = toYuv(COLOURS[colour]);
  const parts = [Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F30:1 Ip A1:1 C420jpeg\n`)];
  for (let frame = 0; frame < FRAMES; frame++) {
    const luma = Buffer.alloc(WIDTH * HEIGHT, y);
    const left = (frame * BLOCK) % WIDTH;
    for (let row = 0; row < BLOCK; row++) {
      const at = (HEIGHT / 2 + row) * WIDTH + left;
      luma.fill(Math.min(y + 60, 235), at, at + BLOCK);
    }
    const chroma = (WIDTH * HEIGHT) / 4;
    parts.push(Buffer.from("FRAME\n"), luma, Buffer.alloc(chroma, u), Buffer.alloc(chroma, v));
  }
  return Buffer.concat(parts);
}

/** BT.601, limited range. */
function toYuv([r, g, b]: readonly [number, number, number]): [number, number, number] {
  const y = 16 + 0.257 * r + 0.504 * g + 0.098 * b;
  const u = 128 - 0.148 * r - 0.291 * g + 0.439 * b;
  const v = 128 + 0.439 * r - 0.368 * g - 0.071 * b;
  return [Math.round(y), Math.round(u), Math.round(v)];
}
