import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "../src/answers.ts";
import { Assembler, History, Known } from "../src/answers.ts";
import type { ServerMessageOf } from "../src/protocol.ts";

function delta(seq: number, offset: number, text: string): ServerMessageOf<"answer_delta"> {
  return {
    type: "answer_delta",
    seq,
    offset,
    delta: text,
    model: "m",
    age_ms: 1,
    first_token_ms: 1,
  };
}

function response(seq: number, text: string, finish = "stop"): ServerMessageOf<"vlm_response"> {
  const metrics = {
    last_latency_ms: 100,
    avg_latency_ms: 100,
    total_inferences: seq,
    is_processing: false,
    first_token_ms: 50,
    tokens_in: 1,
    tokens_out: 2,
    tokens_per_second: 20,
    age_ms: 120,
    unchanged: 0,
    finish_reason: finish,
  };
  return {
    type: "vlm_response",
    seq,
    at_ms: 1000 + seq,
    text,
    prompt: "p",
    model: "m",
    api_base: "http://vlm/v1",
    metrics,
  };
}

test("deltas that fit are put together", () => {
  const assembler = new Assembler();
  assert.equal(assembler.delta(delta(1, 0, "A ")), "A ");
  assert.equal(assembler.delta(delta(1, 2, "cup")), "A cup");
  assert.equal(assembler.complete(response(1, "A cup"), 9)?.text, "A cup");
});

test("offsets count UTF-16 units", () => {
  const assembler = new Assembler();
  const face = String.fromCodePoint(0x1f642);
  assembler.delta(delta(1, 0, face));
  assert.equal(assembler.delta(delta(1, 3, "x")), null);
  assert.equal(assembler.delta(delta(1, 2, "é")), `${face}é`);
  assert.equal(assembler.delta(delta(1, 3, "!")), `${face}é!`);
});

test("after a gap the rest is ignored until the answer is complete", () => {
  const assembler = new Assembler();
  assembler.delta(delta(1, 0, "one "));
  assert.equal(assembler.delta(delta(1, 8, "three")), null);
  assert.equal(assembler.complete(response(1, "one two three"), 0)?.text, "one two three");
});

test("what turns out to have been thought is taken back", () => {
  const assembler = new Assembler();
  assembler.delta(delta(1, 0, "I see a cup, or"));
  assert.equal(assembler.delta(delta(1, 0, "")), "");
  assert.equal(assembler.delta(delta(1, 0, "A cup")), "A cup");
  assert.equal(assembler.delta(delta(1, 2, "mug")), "A mug");
});

test("an answer whose beginning was missed shows nothing until it is complete", () => {
  const assembler = new Assembler();
  assert.equal(assembler.delta(delta(3, 5, "later")), null);
  assert.equal(assembler.complete(response(3, "once later"), 0)?.text, "once later");
});

test("a new answer begins afresh, and stragglers of the one before change nothing", () => {
  const assembler = new Assembler();
  assembler.delta(delta(1, 0, "old"));
  assert.equal(assembler.delta(delta(2, 0, "new")), "new");
  assert.equal(assembler.delta(delta(1, 3, "er")), null);
  assert.equal(assembler.delta(delta(2, 3, "est")), "newest");
});

test("what comes after an answer is complete is ignored", () => {
  const assembler = new Assembler();
  assert.notEqual(assembler.complete(response(1, "all"), 0), null);
  assert.equal(assembler.delta(delta(1, 3, "!")), null);
  assert.equal(assembler.delta(delta(1, 0, "all")), null);
  assert.equal(assembler.complete(response(1, "all"), 0), null);
});

test("after a reset the same number is a new answer", () => {
  const assembler = new Assembler();
  assembler.complete(response(1, "before"), 0);
  assembler.reset();
  assert.equal(assembler.delta(delta(1, 0, "after")), "after");
});

test("a cancelled answer says so", () => {
  const assembler = new Assembler();
  assert.equal(assembler.complete(response(1, "half", "cancelled"), 0)?.cancelled, true);
  assert.equal(assembler.complete(response(2, "whole"), 0)?.cancelled, false);
});

function answer(seq: number, text: string, cancelled = false): Answer {
  return { ...(new Assembler().complete(response(seq, text), seq) as Answer), cancelled };
}

function texts(history: History): string[] {
  return history.answers.map(({ text }) => text);
}

test("the history keeps what came before the newest answer, and tells of each", () => {
  const history = new History(3);
  let told = 0;
  const scope = { own: () => {} };
  history.added.on(scope as never, () => told++);
  for (let seq = 1; seq <= 5; seq++) history.answered(answer(seq, `answer ${seq}`));
  assert.deepEqual(texts(history), ["answer 4", "answer 3", "answer 2"]);
  assert.equal(told, 4);
});

test("an answer is history once another one begins or a question fails", () => {
  const history = new History();
  history.answered(answer(1, "a cup"));
  assert.deepEqual(texts(history), []);
  history.passed();
  history.passed();
  assert.deepEqual(texts(history), ["a cup"]);
});

test("the history has neither parts of answers nor answers without a word", () => {
  const history = new History();
  history.answered(answer(1, "a cup"));
  history.answered(answer(2, "", true));
  assert.deepEqual(texts(history), [], "the cup is still the newest answer");
  history.answered(answer(3, "a cup of", true));
  history.answered(answer(4, " \n"));
  history.answered(answer(5, "a plate"));
  assert.deepEqual(texts(history), ["a cup"]);
});

test("an answer that comes again is known, whatever the server's clock says meanwhile", () => {
  const known = new Known();
  assert.equal(known.add({ at_ms: 5000, seq: 1 }), true);
  assert.equal(known.add({ at_ms: 5000, seq: 1 }), false);
  // Its clock was set back, and its numbers begin again with another video.
  assert.equal(known.add({ at_ms: 2000, seq: 2 }), true);
  assert.equal(known.add({ at_ms: 6000, seq: 1 }), true);
  for (let seq = 0; seq < 200; seq++) known.add({ at_ms: 7000, seq });
  assert.equal(known.add({ at_ms: 7000, seq: 199 }), false);
  assert.equal(known.add({ at_ms: 5000, seq: 1 }), true, "it is not remembered without end");
});
