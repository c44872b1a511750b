import assert from "node:assert/strict";
import { test } from "node:test";
import { Relays } from "../src/relays.ts";

const SERVERS = [{ urls: ["turn:turn.example:3478?transport=tcp", "turns:turn.example:5349"] }];
const HOST = "candidate:1 1 UDP 2122252543 192.0.2.1 50000 typ host";
const RELAYED = "candidate:2 1 UDP 41885695 203.0.113.3 49152 typ relay raddr 0.0.0.0 rport 0";

function watched(servers: RTCIceServer[], ...said: (string | number)[]): Relays {
  const relays = new Relays(servers);
  for (const each of said) {
    if (typeof each === "number") relays.error(each);
    else relays.candidate(each);
  }
  return relays;
}

test("a relay that says nothing is told from one that refuses and one that leads nowhere", () => {
  for (const [relays, why, code, words] of [
    [watched(SERVERS, HOST), "silent", null, "The relay turn.example does not answer either."],
    [watched(SERVERS, 701, 0), "silent", null, "The relay turn.example does not answer either."],
    [watched(SERVERS, 401, 701), "refused", 401, "turn.example does not let this page in (401)."],
    [watched(SERVERS, 401, RELAYED), "no_way", null, "answers, but does not lead to the server."],
  ] as const) {
    assert.deepEqual(relays.failure(), { why, code });
    assert.ok(relays.words().includes(words), relays.words());
  }
});

test("nothing is said of relays where there are none", () => {
  const relays = watched([], HOST, 701);
  assert.equal(relays.failure(), null);
  assert.equal(relays.words(), "");
});

test("a relay at an address is named by that", () => {
  for (const [url, host] of [
    ["turn:192.0.2.7:3478", "192.0.2.7"],
    ["turns:[2001:db8::7]:5349?transport=tcp", "[2001:db8::7]"],
  ] as const) {
    const words = watched([{ urls: url }]).words();
    assert.ok(words.startsWith(`The relay ${host} does not`), words);
  }
});
