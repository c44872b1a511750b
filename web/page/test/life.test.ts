// What the page makes of time. Times are arguments.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "../src/clock.ts";

test("the clock goes on while the device sleeps and never goes back", () => {
  const clock = new Clock(0, 1_000_000);
  assert.equal(clock.read(250, 1_000_250), 250);
  // An hour of sleep, in which one of the two stood still.
  assert.equal(clock.read(500, 4_600_500), 3_600_500);
  // An hour of sleep that both have counted.
  assert.equal(clock.read(3_600_500, 8_200_500), 7_200_500);
  // Somebody sets the clock back by a day, and then by seconds to and fro.
  assert.equal(clock.read(3_600_750, 8_200_500 - 86_400_000), 7_200_750);
  assert.equal(clock.read(3_601_000, 8_204_000 - 86_400_000), 7_201_000);
  assert.equal(clock.read(3_601_250, 8_200_000 - 86_400_000), 7_201_250);
  // And ahead by a year, of which a day counts.
  assert.equal(clock.read(3_601_500, 8_200_000 + 365 * 86_400_000), 7_201_250 + 86_400_000);
  assert.equal(clock.read(3_601_000, 8_200_000 + 365 * 86_400_000), 7_201_250 + 86_400_000);
});
