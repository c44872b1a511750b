// Firefox plays no file as its camera, so what a camera shows is drawn by a script instead.
import { readFile } from "node:fs/promises";
import type { BrowserContext } from "@playwright/test";
import { type Camera, HEIGHT, WIDTH } from "./cameras.ts";
import { COLOURS } from "./colours.ts";

/** Every page's camera shows this. Firefox's own is opened first, so that it asks as ever. */
export async function showInFirefox(context: BrowserContext, { shows }: Camera): Promise<void> {
  const picture =
    "colour" in shows
      ? { width: WIDTH, height: HEIGHT, colour: `rgb(${COLOURS[shows.colour].join(" ")})` }
      : { ...shows.size, clip: (await readFile(shows.clip)).toString("base64") };
  await context.addInitScript(draw, picture);
}

interface Picture {
  width: number;
  height: number;
  colour?: string;
  /** A WebM file in base64. */
  clip?: string;
}

/** Runs in the page. */
function draw({ width, height, colour, clip }: Picture): void {
  // Not on the blank page that a browser begins with.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) return;
  const open = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (constraints) => {
    for (const track of (await open(constraints)).getTracks()) track.stop();
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    const paint = canvas.getContext("2d");
    if (paint === null) throw new Error("no canvas");
    let frame = 0;
    let next = () => {
      paint.fillStyle = colour ?? "black";
      paint.fillRect(0, 0, width, height);
      // Real cameras never give still video.
      paint.fillStyle = "rgb(255 255 255 / 25%)";
      paint.fillRect((frame++ * 64) % width, height / 2, 64, 64);
    };
    if (clip !== undefined) {
      const video = document.createElement("video");
      const bytes = Uint8Array.from(atob(clip), (letter) => letter.charCodeAt(0));
      video.src = URL.createObjectURL(new Blob([bytes], { type: "video/webm" }));
      Object.assign(video, { muted: true, loop: true });
      await video.play();
      next = () => paint.drawImage(video, 0, 0, width, height);
    }
    next();
    const stream = canvas.captureStream();
    const timer = setInterval(next, 1000 / 30);
    const [track] = stream.getVideoTracks();
    const stop = track?.stop.bind(track);
    if (track !== undefined && stop !== undefined) {
      track.stop = () => {
        clearInterval(timer);
        stop();
      };
    }
    return stream;
  };
}
