import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { backoffMs } from "../src/backoff.ts";
import { Scope } from "../src/scope.ts";
import { newSessionId } from "../src/session-id.ts";
import { Signal } from "../src/signal.ts";

test("a scope ends what it owns once, the last first", () => {
  const scope = new Scope();
  const ended: number[] = [];
  scope.own(() => ended.push(1));
  scope.own(() => ended.push(2));
  const early = scope.own(() => ended.push(3));
  early();
  early();
  scope.end();
  scope.end();
  assert.deepEqual(ended, [3, 2, 1]);
  scope.own(() => ended.push(4));
  assert.deepEqual(ended, [3, 2, 1, 4]);
});

test("a child ends with its parent, and alone without it", () => {
  const parent = new Scope();
  const one = parent.child();
  const two = parent.child();
  one.end();
  assert.equal(parent.ended, false);
  parent.end();
  assert.equal(two.ended, true);
  assert.equal(parent.child().ended, true);
});

test("timers and listeners end with their scope", () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  try {
    const scope = new Scope();
    const target = new EventTarget();
    let count = 0;
    scope.after(10, () => count++);
    scope.after(30, () => count++);
    scope.every(10, () => count++);
    scope.listen(target, "x", () => count++);
    target.dispatchEvent(new Event("x"));
    mock.timers.tick(10);
    assert.equal(count, 3);
    scope.end();
    mock.timers.tick(100);
    target.dispatchEvent(new Event("x"));
    assert.equal(count, 3);
  } finally {
    mock.timers.reset();
  }
});

test("a signal tells until the listener's scope ends", () => {
  const scope = new Scope();
  const signal = new Signal<number>();
  const heard: number[] = [];
  signal.on(scope, (value) => heard.push(value));
  signal.emit(1);
  scope.end();
  signal.emit(2);
  assert.deepEqual(heard, [1]);
});

test("waits grow, are half random, and have a bound", () => {
  assert.equal(
    backoffMs(0, () => 0),
    250,
  );
  assert.equal(
    backoffMs(0, () => 1),
    500,
  );
  assert.equal(
    backoffMs(3, () => 1),
    4000,
  );
  assert.equal(
    backoffMs(1000, () => 1),
    15_000,
  );
});

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("session ids are UUIDs of version 4, also where randomUUID is missing", () => {
  assert.match(newSessionId(), UUID_V4);
  const old = {
    getRandomValues: (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes),
  } as never;
  assert.match(newSessionId(old), UUID_V4);
  assert.notEqual(newSessionId(old), newSessionId(old));
});
