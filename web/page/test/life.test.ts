// Signs of life and clocks: what the page makes of them. Times are arguments.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "../src/clock.ts";
import { answerMs, openingMs, Signs } from "../src/signs.ts";

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

test("a connection is quiet after six seconds without a message and dead after twelve", () => {
  const signs = new Signs(1000, 20);
  assert.equal(signs.life(6999), "fine");
  assert.equal(signs.life(7000), "quiet");
  signs.heard(8000);
  assert.equal(signs.life(13_999), "fine");
  assert.equal(signs.life(19_999), "quiet");
  assert.equal(signs.life(20_000), "dead");
});

test("where there is doubt a sign of life is asked for once, and has to come soon", () => {
  const signs = new Signs(0, 20);
  assert.equal(signs.doubt(1000), true);
  assert.equal(signs.doubt(1100), false);
  assert.equal(signs.life(2499), "fine");
  assert.equal(signs.life(2500), "dead");
  signs.heard(2400);
  assert.equal(signs.life(2500), "fine");
  assert.equal(signs.doubt(3000), true);
  assert.equal(signs.life(4500), "dead");
  // A slow line has longer.
  const slow = new Signs(0, 2000);
  slow.doubt(1000);
  assert.equal(slow.life(5699), "fine");
  assert.equal(slow.life(5700), "dead");
});

test("tries that get no reply are short for half a minute, and longer from then on", () => {
  const opening = (openedMs: number | null) =>
    Array.from({ length: 20 }, (_, unanswered) => openingMs(unanswered, openedMs));
  const tries = opening(40);
  assert.equal(
    tries.slice(0, 12).reduce((sum, ms) => sum + ms),
    30_000,
  );
  assert.deepEqual(new Set(tries.slice(0, 12)), new Set([2500]));
  assert.deepEqual(new Set(tries.slice(12)), new Set([8000]));
  // On a slow line all have the time that it takes, and where nothing is known of it.
  assert.equal(openingMs(0, 1200), 6300);
  assert.deepEqual(new Set(opening(5000)), new Set([8000]));
  assert.deepEqual(new Set(opening(null)), new Set([8000]));
});

test("an offer without a reply is made again, with more patience each time", () => {
  const tries = Array.from({ length: 50 }, (_, unanswered) => answerMs(50, unanswered, null));
  assert.deepEqual(tries.slice(0, 4), [3200, 6400, 12_800, 15_000]);
  assert.ok(tries.slice(3).every((ms) => ms === 15_000));
});

test("where the network has changed, the first offers have as long as the ones before took", () => {
  const patience = (answeredMs: number) =>
    Array.from({ length: 6 }, (_, unanswered) => answerMs(50, unanswered, { answeredMs }));
  assert.deepEqual(patience(25), [600, 600, 600, 1200, 2400, 4800]);
  assert.deepEqual(patience(900), [4100, 4100, 4100, 8200, 15_000, 15_000]);
  assert.equal(answerMs(1800, 0, { answeredMs: 0 }), 7500);
});
