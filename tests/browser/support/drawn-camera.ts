// A camera that a script draws: it gives what it is asked for, and can be turned like a phone.
import type { Page } from "@playwright/test";
import { COLOURS, type Colour } from "./colours.ts";
import type { Viewer } from "./viewer.ts";

/** Cameras show this colour when that many lines of them are wanted. */
export type ByLines = Record<number, Colour>;

/** Pages from now on have such a camera. The browser's own is opened first, so that it asks as ever. */
export async function drawCamera(person: Viewer, byLines: ByLines): Promise<void> {
  const colours = Object.entries(byLines).map(([lines, colour]) => [
    Number(lines),
    `rgb(${COLOURS[colour].join(" ")})`,
  ]);
  await person.context.addInitScript((colours) => {
    const devices = navigator.mediaDevices as MediaDevices | undefined;
    if (devices === undefined) return;
    const open = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (constraints) => {
      for (const track of (await open(constraints)).getTracks()) track.stop();
      const ideal = (edge: "width" | "height") =>
        ((constraints?.video as MediaTrackConstraints)[edge] as ConstrainULongRange).ideal ?? 0;
      const size = { width: ideal("width"), height: ideal("height") };
      const canvas = Object.assign(document.createElement("canvas"), size);
      const paint = canvas.getContext("2d");
      if (paint === null) throw new Error("no canvas");
      let frame = 0;
      const draw = () => {
        paint.fillStyle = String(new Map(colours as [number, string][]).get(size.height));
        paint.fillRect(0, 0, canvas.width, canvas.height);
        paint.fillStyle = "rgb(255 255 255 / 25%)";
        paint.fillRect((frame++ * 16) % canvas.width, canvas.height / 2, 64, 64);
      };
      draw();
      setInterval(draw, 1000 / 30);
      Object.assign(window, { drawnCamera: canvas });
      return canvas.captureStream();
    };
  }, colours);
}

/** Turns it by a quarter. */
export async function turnCamera(page: Page): Promise<void> {
  await page.evaluate(() => {
    const canvas = (window as any).drawnCamera as HTMLCanvasElement;
    Object.assign(canvas, { width: canvas.height, height: canvas.width });
  });
}
