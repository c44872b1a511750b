import assert from "node:assert/strict";
import { test } from "node:test";
import { parseModels } from "../src/api.ts";
import { PRESETS } from "../src/presets.ts";
import { sparkline } from "../src/sparkline.ts";
import {
  answerAge,
  answeredBy,
  connectionWords,
  countdown,
  duration,
  savedWords,
  sentence,
  speed,
  tryingAgain,
  vlmErrorWords,
} from "../src/words.ts";

test("the state of the connection in words", () => {
  const open = { is: "open", quiet: false } as const;
  assert.equal(connectionWords({ is: "connecting", why: "start" }, "off").words, "Connecting…");
  assert.equal(connectionWords(open, "off").words, "Ready");
  assert.deepEqual(connectionWords(open, "live"), { words: "Live", tone: "live", retryAt: null });
  assert.match(connectionWords(open, "again").words, /lost/);
  const gone = { is: "gone", retryAt: 5000, refused: false, failures: 1 } as const;
  assert.equal(connectionWords(gone, "live").words, "The server cannot be reached. Trying again");
  assert.equal(connectionWords(gone, "live").retryAt, 5000);
  assert.match(connectionWords({ ...gone, refused: true }, "off").words, /refused/);
});

test("why the server has ended the video is said in its words", () => {
  const again = (ended: string) =>
    connectionWords({ is: "open", quiet: false }, "again", ended).words;
  assert.equal(again(""), "The video was lost. Connecting again…");
  assert.equal(again("The decoder failed."), "The decoder failed. Connecting again…");
  assert.equal(
    again("The video stopped unexpectedly, connecting again"),
    "The video stopped unexpectedly, connecting again…",
  );
  assert.equal(connectionWords({ is: "open", quiet: false }, "live", "No.").words, "Live");
});

test("only a picture makes it live, and only while the server is heard", () => {
  const states = ["off", "camera", "connecting", "waiting", "again"] as const;
  for (const video of states) {
    assert.notEqual(connectionWords({ is: "open", quiet: false }, video).words, "Live");
  }
  const sockets = [
    { is: "open", quiet: true },
    { is: "connecting", why: "loss" },
    { is: "connecting", why: "network" },
    { is: "connecting", why: "silence" },
  ] as const;
  for (const socket of sockets) assert.notEqual(connectionWords(socket, "live").tone, "live");
  assert.equal(
    connectionWords({ is: "open", quiet: false }, "waiting").words,
    "Waiting for a picture…",
  );
});

test("what never was there is not called lost", () => {
  for (const words of [
    connectionWords({ is: "connecting", why: "start" }, "off"),
    connectionWords({ is: "connecting", why: "silence" }, "off"),
    connectionWords({ is: "open", quiet: false }, "connecting"),
    connectionWords({ is: "open", quiet: false }, "waiting"),
  ]) {
    assert.doesNotMatch(words.words, /lost|gone/);
  }
});

test("another server than the chosen one is named beside the model", () => {
  const answer = { model: "llava", apiBase: "http://b:8000/v1" };
  assert.equal(answeredBy(answer, "http://b:8000/v1"), "llava");
  assert.equal(answeredBy(answer, "http://a:8000/v1"), "llava at b:8000");
  assert.equal(answeredBy(answer, ""), "llava");
});

test("the countdown", () => {
  assert.equal(countdown(5000, 2000), " in 3 s");
  assert.equal(countdown(5000, 4999), " in 1 s");
  assert.equal(countdown(5000, 5000), " now…");
  assert.equal(tryingAgain(5000, 2000), " Trying again in 3 s.");
  assert.equal(tryingAgain(5000, 9000), " Trying again now…");
  assert.equal(tryingAgain(null, 0), "");
});

test("the age of the newest answer, once it is more than twice what is usual", () => {
  assert.equal(answerAge(4999, 1000, 300), "");
  assert.equal(answerAge(5000, 1000, 300), "last answer 5 s ago");
  assert.equal(answerAge(19_999, 10_000, 300), "");
  assert.equal(answerAge(20_500, 10_000, 300), "last answer 20 s ago");
  assert.equal(answerAge(15_999, 1000, 8000), "");
  assert.equal(answerAge(119_999, 1000, 300), "last answer 119 s ago");
  assert.equal(answerAge(120_000, 1000, 300), "last answer 2 min ago");
  assert.equal(answerAge(3 * 3_600_000, 1000, 300), "last answer 3 h ago");
});

test("figures as people read them", () => {
  assert.equal(duration(null), "–");
  assert.equal(duration(240.4), "240 ms");
  assert.equal(duration(999.6), "1.0 s");
  assert.equal(duration(1240), "1.2 s");
  assert.equal(duration(9960), "10 s");
  assert.equal(speed(null), "–");
  assert.equal(speed(15.5), "16");
  assert.equal(speed(3.25), "3.3");
});

test("a failing VLM: its message, and whether it is asked again by itself", () => {
  assert.equal(vlmErrorWords("It is down", true), "It is down.");
  assert.equal(sentence("you may ask 60 questions"), "You may ask 60 questions.");
  assert.equal(sentence("http://host/v1 is down!"), "http://host/v1 is down!");
  assert.equal(vlmErrorWords("Down?", true), "Down?");
  assert.match(vlmErrorWords("No key.", false), /^No key\. The server asks again when/);
});

test("a sparkline keeps inside its box", () => {
  assert.deepEqual(sparkline([], 200, 36), { line: "", area: "" });
  const { line, area } = sparkline([100, 300, 200], 200, 36);
  const numbers = line.match(/[\d.]+/g)?.map(Number) ?? [];
  assert.equal(numbers.length, 6);
  assert.equal(numbers[4], 200);
  assert.ok(numbers.every((value, index) => value >= 0 && value <= (index % 2 === 0 ? 200 : 36)));
  assert.ok(area.startsWith(line) && area.endsWith("Z"));
});

test("a list of models is read with care", () => {
  const models = [{ id: "a", name: "A", current: true, vision: false }, { id: "b" }, {}, null];
  assert.deepEqual(parseModels({ models }), [
    { id: "a", name: "A", current: true, vision: false },
    { id: "b", name: "b", current: false, vision: true },
  ]);
  assert.deepEqual(parseModels(null), []);
});

test("ten ready-made questions, all different and allowed", () => {
  assert.equal(new Set(PRESETS.map(({ prompt }) => prompt)).size, 10);
  assert.equal(new Set(PRESETS.map(({ name }) => name)).size, 10);
  assert.ok(PRESETS.every(({ prompt }) => prompt.length > 0 && prompt.length <= 8000));
});

test("what asking only when the picture changes has saved, once it has", () => {
  assert.deepEqual([0, 1, 12].map(savedWords), ["", "1 question saved", "12 questions saved"]);
});
