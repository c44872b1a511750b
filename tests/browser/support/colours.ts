import jpeg from "jpeg-js";

/** Red, green and blue, 0 to 255. */
export const COLOURS = {
  red: [200, 20, 30],
  blue: [20, 40, 200],
  green: [20, 160, 40],
  yellow: [220, 210, 30],
} as const satisfies Record<string, readonly [number, number, number]>;

export type Colour = keyof typeof COLOURS;

/** The colour that most pixels of a picture are nearest to, and the picture's size. */
export function dominantColour(bytes: Buffer): { colour: Colour; width: number; height: number } {
  const { data, width, height } = jpeg.decode(bytes, { useTArray: true, formatAsRGBA: false });
  const counts = new Map<Colour, number>();
  // Every 97th pixel is plenty for flat colours.
  for (let at = 0; at + 2 < data.length; at += 97 * 3) {
    const colour = nearest([data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0]);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const [first] = [...counts].sort(([, a], [, b]) => b - a);
  if (first === undefined) throw new Error("an empty picture");
  return { colour: first[0], width, height };
}

function nearest(pixel: readonly [number, number, number]): Colour {
  const distance = (colour: Colour) =>
    COLOURS[colour].reduce((sum, value, at) => sum + (value - (pixel[at] ?? 0)) ** 2, 0);
  const names = Object.keys(COLOURS) as Colour[];
  return names.reduce((best, name) => (distance(name) < distance(best) ? name : best));
}
