// Signs of life, addresses and clocks: what the page makes of them. Times are arguments.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "../src/clock.ts";
import { PathWatch, wayOf } from "../src/path.ts";
import { Renewals } from "../src/renewals.ts";
import { answerMs, openingMs, Signs, Wishes } from "../src/signs.ts";

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

test("a frame that is not wanted when it usually is makes the server doubtful", () => {
  const wishes = new Wishes();
  assert.equal(wishes.overdue(60_000, 1000), false);
  wishes.came(0);
  assert.equal(wishes.overdue(60_000, 1000), false);
  wishes.came(1000);
  assert.equal(wishes.overdue(2499, 1000), false);
  assert.equal(wishes.overdue(2500, 1000), true);
  assert.equal(wishes.overdue(2600, 1000), false);
  wishes.came(4000);
  wishes.came(4100);
  assert.equal(wishes.overdue(8599, 1000), false);
  assert.equal(wishes.overdue(8600, 1000), true);
  for (let at = 5000; at <= 8000; at += 1000) wishes.came(at);
  assert.equal(wishes.overdue(9499, 1000), false);
  assert.equal(wishes.overdue(9500, 1000), true);
  // Two in a row are no sign that the next one comes as soon.
  wishes.end();
  wishes.came(20_000);
  wishes.came(20_100);
  assert.equal(wishes.overdue(23_099, 2000), false);
  assert.equal(wishes.overdue(23_100, 2000), true);
  // Where questions are far apart the server's signs of life come sooner.
  wishes.came(30_000);
  wishes.came(30_100);
  assert.equal(wishes.overdue(90_000, 5000), false);
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
  assert.deepEqual(patience(50), [650, 650, 650, 1300, 2600, 5200]);
  assert.deepEqual(patience(900), [1925, 1925, 1925, 3850, 7700, 15_000]);
  assert.equal(answerMs(1800, 0, { answeredMs: 0 }), 3200);
});

test("a way by which nothing comes for a second is deaf, until something does", () => {
  const watch = new PathWatch(0);
  const look = (received: number, at: number) =>
    watch.look({ local: "192.0.2.1", received, sent: null }, at);
  assert.equal(look(0, 500), "fine");
  assert.equal(look(0, 1000), "deaf");
  assert.equal(look(10, 1500), "fine");
  assert.equal(look(10, 2499), "fine");
  assert.equal(look(10, 2500), "deaf");
  assert.equal(look(10, 9000), "deaf");
  assert.equal(look(11, 9500), "fine");
});

test("a way by which nothing is sent is quiet and not deaf, however long nothing comes", () => {
  const watch = new PathWatch(0);
  const look = (sent: number, received: number, at: number) =>
    watch.look({ local: "192.0.2.1", received, sent }, at);
  assert.equal(look(20, 10, 500), "fine");
  assert.equal(look(20, 10, 9000), "quiet");
  // A frame, and what comes in reply to it.
  assert.equal(look(40, 10, 9500), "quiet");
  assert.equal(look(40, 20, 10_000), "fine");
  assert.equal(look(40, 20, 30_000), "quiet");
  // A frame to which nothing comes.
  assert.equal(look(60, 20, 30_500), "quiet");
  assert.equal(look(60, 20, 31_000), "deaf");
  assert.equal(look(60, 30, 31_500), "fine");
});

test("another address of ours means another network, once the connection has settled", () => {
  const watch = new PathWatch(0);
  let received = 0;
  const look = (local: string, at: number) =>
    watch.look({ local, received: received++, sent: null }, at);
  assert.equal(look("192.0.2.1", 500), "fine");
  assert.equal(look("192.0.2.2", 1000), "fine");
  assert.equal(look("192.0.2.2", 5000), "fine");
  assert.equal(look("192.0.2.3", 5500), "moved");
  assert.equal(look("192.0.2.3", 6000), "fine");
});

test("the way in use is found in each browser's statistics", () => {
  const reports = [
    { type: "transport", id: "t", selectedCandidatePairId: "p2" },
    { type: "candidate-pair", id: "p1", localCandidateId: "c1", bytesReceived: 1, nominated: true },
    { type: "candidate-pair", id: "p2", localCandidateId: "c2", bytesReceived: 2 },
    { type: "local-candidate", id: "c1", address: "192.0.2.1" },
    { type: "local-candidate", id: "c2", address: "198.51.100.1", relatedAddress: "192.0.2.2" },
  ];
  assert.deepEqual(wayOf(reports), { local: "192.0.2.2", received: 2, sent: null });
  // Firefox has no transport that says it.
  const [, first, second, ...candidates] = reports;
  const selected = [first ?? {}, { ...second, selected: true }, ...candidates];
  assert.deepEqual(wayOf(selected), { local: "192.0.2.2", received: 2, sent: null });
  const nominated = [{ ...first, state: "succeeded" }, second ?? {}, ...candidates];
  assert.deepEqual(wayOf(nominated), { local: "192.0.2.1", received: 1, sent: null });
  const video = { type: "outbound-rtp", kind: "video", packetsSent: 7 };
  assert.equal(wayOf([...reports, video])?.sent, 7);
  assert.equal(wayOf(candidates), null);
  assert.equal(wayOf([{ ...first, selected: true }]), null);
});

/** When connections are made anew if the network changes at each of these times. */
function renewed(changes: Iterable<number>): number[] {
  const renewals = new Renewals();
  const made: number[] = [];
  for (const change of changes) {
    const at =
      Math.max(change, made.at(-1) ?? 0) + renewals.wait(Math.max(change, made.at(-1) ?? 0));
    if (at > change && change <= (made.at(-1) ?? -1)) continue;
    made.push(at);
    renewals.made(at);
  }
  return made;
}

test("a network that keeps changing is followed ever more seldom, and at once after a pause", () => {
  const changes = (function* () {
    for (let at = 0; at < 600_000; at += 100) yield at;
  })();
  const made = renewed(changes);
  assert.deepEqual(made.slice(0, 4), [0, 2000, 6000, 14_000]);
  assert.ok(made.length < 16, `${made.length} in ten minutes`);
  assert.deepEqual(renewed([0, 10_000, 20_000, 30_000]), [0, 10_000, 20_000, 30_000]);
  const renewals = new Renewals();
  for (const at of made) renewals.made(at);
  const calm = (made.at(-1) ?? 0) + 130_000;
  assert.equal(renewals.wait(calm), 0);
  renewals.made(calm);
  assert.equal(renewals.wait(calm + 1), 1999);
});
