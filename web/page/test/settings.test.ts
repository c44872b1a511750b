import assert from "node:assert/strict";
import { test } from "node:test";
import examples from "../protocol.json";
import type { Change } from "../src/choices.ts";
import { shown, written } from "../src/choices.ts";
import type { ClientMessage, ServerMessageOf } from "../src/protocol.ts";
import { parseServerMessage } from "../src/protocol.ts";
import { Scope } from "../src/scope.ts";
import { appliedFrom, confirmed, fieldOf, messagesToRestore } from "../src/settings.ts";
import { SettingsKeeper } from "../src/settings-keeper.ts";
import type { Preferences } from "../src/stored.ts";
import { loadPreferences, parsePreferences, savePreferences } from "../src/stored.ts";

const config = parseServerMessage({
  ...examples.from_server.find(({ type }) => type === "server_config"),
  prompt: "Describe.",
  system_prompt: "",
  interval: 1,
  max_tokens: 512,
  min_change: 0,
  model: "a",
});
assert.ok(config.type === "server_config");
const bounds = { ...config.bounds, prompt: { min: 1, max: 20 } };
const applied = appliedFrom(config);
const { choices } = applied;

test("nothing is sent for what the person has not changed or the server holds already", () => {
  assert.deepEqual(messagesToRestore({}, null, applied, bounds), []);
  const vlm = { model: "a", apiBase: `${applied.apiBase}/`, apiKey: "k" };
  assert.deepEqual(messagesToRestore(choices, vlm, applied, bounds), []);
});

test("the person's own settings are sent to a server that lost them, the VLM first", () => {
  const vlm = { model: "b", apiBase: "https://vlm.example/v1", apiKey: "k" };
  const own = { prompt: "Count.", interval: 2.5, max_tokens: 512, min_change: 0.02 };
  assert.deepEqual(messagesToRestore(own, vlm, applied, bounds), [
    { type: "update_model", model: "b", api_base: "https://vlm.example/v1", api_key: "k" },
    { type: "update_settings", prompt: "Count.", interval: 2.5, min_change: 0.02 },
  ]);
});

test("what the server does not allow is not sent with the rest, which it would refuse too", () => {
  const own = {
    prompt: "",
    interval: 0.01,
    max_tokens: 1.5,
    min_change: 2,
    system_prompt: "Short.",
  };
  assert.deepEqual(messagesToRestore(own, null, applied, bounds), [
    { type: "update_settings", system_prompt: "Short." },
  ]);
});

test("a setting is read from the form, or said to be wrong with what is allowed", () => {
  for (const [name, text, change] of [
    ["interval", "2.5", { interval: 2.5 }],
    ["max_tokens", "64", { max_tokens: 64 }],
    ["min_change", "50", { min_change: 0.5 }],
    ["system_prompt", "  Be brief. ", { system_prompt: "Be brief." }],
    // 20 characters, in twice as many units of UTF-16.
    ["prompt", "🙂".repeat(20), { prompt: "🙂".repeat(20) }],
  ] as const) {
    assert.deepEqual(written(name, text, bounds), { change });
  }
  for (const [name, texts, wrong] of [
    ["interval", ["", "0", "3601", "soon"], "From 0.1 to 3600 seconds."],
    ["max_tokens", ["", "0", "1.5", "32769"], "A whole number from 1 to 32768."],
    ["min_change", ["", "-1", "101"], "From 0 to 100 percent."],
    ["prompt", ["", " ", "x".repeat(21)], "From 1 to 20 characters."],
  ] as const) {
    for (const text of texts) assert.deepEqual(written(name, text, bounds), { wrong }, text);
  }
});

test("what is held is shown as it is written", () => {
  const held = { ...choices, interval: 1 / 3, min_change: 0.025 };
  const texts = (["interval", "min_change", "max_tokens"] as const).map((name) =>
    shown(name, held),
  );
  assert.deepEqual(texts, ["0.33", "2.5", "512"]);
});

test("a confirmation changes what it names and nothing else", () => {
  const model = confirmed(applied, {
    type: "model_updated",
    model: "b",
    api_base: "http://h/v1",
    stand_in: true,
  });
  assert.deepEqual(model, { ...applied, model: "b", apiBase: "http://h/v1", standIn: true });
  const changed = { ...choices, interval: 1.5, min_change: 0.02 };
  const settings = confirmed(model, { type: "settings_updated", ...changed });
  assert.deepEqual(settings, { ...model, choices: changed });
});

/** A keeper that is connected, what it sends, and what it says is applied. */
function connected() {
  const sent: ClientMessage[] = [];
  const done: string[] = [];
  const keeper = new SettingsKeeper({ own: {} }, (message) => sent.push(message));
  keeper.fieldApplied.on(new Scope(), (field) => done.push(field));
  keeper.config(config as ServerMessageOf<"server_config">);
  return { keeper, sent, done };
}

test("a setting is sent alone, and is applied once the server holds what was set last", () => {
  const { keeper, sent, done } = connected();
  keeper.choose({ interval: 2 });
  keeper.choose({ max_tokens: 64 });
  keeper.choose({ interval: 3 });
  assert.deepEqual(sent, [
    { type: "update_settings", interval: 2 },
    { type: "update_settings", max_tokens: 64 },
    { type: "update_settings", interval: 3 },
  ]);
  const confirm = (change: Change) =>
    keeper.confirm({ type: "settings_updated", ...choices, ...change });
  confirm({ interval: 2 });
  assert.deepEqual(done, []);
  confirm({ interval: 2, max_tokens: 64 });
  assert.deepEqual(done, ["max_tokens"]);
  confirm({ interval: 3, max_tokens: 64 });
  assert.deepEqual(done, ["max_tokens", "interval"]);
});

test("the server's field names find the page's fields", () => {
  for (const name of ["max_tokens", "min_change", "model", "api_key"]) {
    assert.equal(fieldOf(name), name);
  }
  for (const name of ["sdp", "constructor", null]) assert.equal(fieldOf(name), null);
});

test("stored preferences come back; what is wrong in them does not", () => {
  let kept: string | null = null;
  const storage = () =>
    ({ getItem: () => kept, setItem: (_: string, value: string) => (kept = value) }) as never;
  const preferences: Preferences = {
    own: { prompt: "Count.", system_prompt: "", max_tokens: 64, interval: 0.5, min_change: 0 },
    mirrored: true,
    camera: "device:x",
    lines: 1080,
    send: "pictures",
  };
  savePreferences(storage, preferences);
  assert.deepEqual(loadPreferences(storage), preferences);

  const none = parsePreferences(null);
  assert.deepEqual(none, { own: {}, mirrored: false, camera: "", lines: 720, send: "automatic" });
  const bad = {
    own: { prompt: 5, max_tokens: 1.5, interval: "1", min_change: null, colour: "red" },
    mirrored: 1,
    camera: 5,
    lines: 481,
    send: "toString",
  };
  assert.deepEqual(parsePreferences(bad), none);
  kept = "not JSON";
  assert.deepEqual(loadPreferences(storage), none);
});

test("settings that version 0.1.0 stored come back", () => {
  const { own } = parsePreferences({ own: { prompt: "P", systemPrompt: "S", maxTokens: 64 } });
  assert.deepEqual(own, { prompt: "P", system_prompt: "S", max_tokens: 64 });
});

test("a page without storage works", () => {
  const storage = () => {
    throw new Error("SecurityError");
  };
  assert.deepEqual(loadPreferences(storage), parsePreferences(null));
  assert.doesNotThrow(() => savePreferences(storage, parsePreferences(null)));
});
