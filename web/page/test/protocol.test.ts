import assert from "node:assert/strict";
import { test } from "node:test";
import examples from "../protocol.json";
import { ProtocolError, parseServerMessage } from "../src/protocol.ts";
import * as send from "../src/send.ts";

const SERVER_TYPES = [
  "alive",
  "answer_delta",
  "closing",
  "debug",
  "debug_updated",
  "error",
  "frame_wanted",
  "frames",
  "history",
  "max_latency_updated",
  "model_updated",
  "processing_updated",
  "prompt_updated",
  "server_config",
  "settings_updated",
  "status",
  "vlm_error",
  "vlm_response",
];

test("every example from the server is understood and unchanged", () => {
  for (const example of examples.from_server) {
    assert.deepEqual(parseServerMessage(structuredClone(example)), example);
  }
});

test("there is an example of every message from the server", () => {
  const types = new Set(examples.from_server.map(({ type }) => type));
  assert.deepEqual([...types].sort(), SERVER_TYPES);
});

test("a message without one of its fields, or with a wrong one, is refused", () => {
  for (const example of examples.from_server) {
    for (const field of Object.keys(example).filter((name) => name !== "type")) {
      const without: Record<string, unknown> = { ...example };
      delete without[field];
      assert.throws(() => parseServerMessage(without), ProtocolError, `${example.type}.${field}`);
      const wrong = { ...example, [field]: ["wrong"] };
      assert.throws(() => parseServerMessage(wrong), ProtocolError, `${example.type}.${field}`);
    }
  }
});

test("the fields of metrics are checked too", () => {
  const response = examples.from_server.find(({ type }) => type === "vlm_response");
  assert.ok(response !== undefined && "metrics" in response);
  const metrics = { ...response.metrics, last_latency_ms: "fast" };
  assert.throws(() => parseServerMessage({ ...response, metrics }), /metrics/);
});

test("unknown types are refused, unknown fields are not", () => {
  for (const type of ["gpu_stats", "toString", "", 7, null, undefined]) {
    assert.throws(() => parseServerMessage({ type }), ProtocolError);
  }
  for (const json of [null, [], "status", 1]) {
    assert.throws(() => parseServerMessage(json), ProtocolError);
  }
  assert.doesNotThrow(() => parseServerMessage({ type: "debug", text: "x", later: true }));
});

test("an unknown status is refused", () => {
  assert.throws(
    () => parseServerMessage({ type: "status", text: "?", status: "Asleep", unchanged: 0 }),
    /status/,
  );
});

test("each message that the page sends is exactly an example from the client", () => {
  // protocol.json also has messages that other clients send.
  const known = examples.from_client.map((example) => JSON.stringify(example));
  for (const message of [
    send.updateModel("qwen2.5vl:3b", "http://192.0.2.7:8000/v1", "sk-example"),
    send.updateSettings({ min_change: 0.02 }),
    send.iceCandidate("candidate:1 1 UDP 2122252543 192.0.2.1 50000 typ host", 0),
    send.relayFailed({ why: "refused", code: 401 }),
    send.relayFailed({ why: "silent", code: null }),
    send.sendPictures(),
    send.askNow(),
    send.alive(),
    send.hangUp(),
  ]) {
    assert.ok(known.includes(JSON.stringify(message)), JSON.stringify(message));
  }
});

test("a key never goes without the address that it is for", () => {
  assert.deepEqual(send.updateModel("m", "", "secret"), {
    type: "update_model",
    model: "m",
    api_base: "",
    api_key: "",
  });
});
