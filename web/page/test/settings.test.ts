import assert from "node:assert/strict";
import { test } from "node:test";
import type { Applied } from "../src/settings.ts";
import { confirmed, fieldOf, messagesToRestore } from "../src/settings.ts";
import { loadPreferences, parsePreferences, savePreferences } from "../src/stored.ts";

const applied: Applied = {
  prompt: "Describe.",
  systemPrompt: "",
  maxTokens: 512,
  interval: 1,
  minChange: 0,
  model: "a",
  apiBase: "http://127.0.0.1:11434/v1",
  standIn: false,
};

test("nothing is sent for what the person has not changed or the server holds already", () => {
  assert.deepEqual(messagesToRestore({}, null, applied), []);
  const same = { prompt: "Describe.", systemPrompt: "", maxTokens: 512, interval: 1, minChange: 0 };
  const vlm = { model: "a", apiBase: "http://127.0.0.1:11434/v1/", apiKey: "k" };
  assert.deepEqual(messagesToRestore(same, vlm, applied), []);
});

test("the person's own settings are sent to a server that lost them, the VLM first", () => {
  const vlm = { model: "b", apiBase: "https://vlm.example/v1", apiKey: "k" };
  const own = { prompt: "Count.", interval: 2.5, minChange: 0.02 };
  assert.deepEqual(messagesToRestore(own, vlm, applied), [
    { type: "update_model", model: "b", api_base: "https://vlm.example/v1", api_key: "k" },
    { type: "update_prompt", prompt: "Count.", max_tokens: 512, system_prompt: "" },
    { type: "update_processing", interval: 2.5 },
    { type: "update_settings", min_change: 0.02 },
  ]);
});

test("a confirmation changes what it names and nothing else", () => {
  const after = confirmed(applied, {
    type: "processing_updated",
    process_every: 45,
    interval: 1.5,
  });
  assert.deepEqual(after, { ...applied, interval: 1.5 });
  const prompt = confirmed(after, {
    type: "prompt_updated",
    prompt: "P",
    max_tokens: 9,
    system_prompt: null,
  });
  assert.deepEqual(prompt, { ...after, prompt: "P", maxTokens: 9, systemPrompt: "" });
  const model = confirmed(prompt, {
    type: "model_updated",
    model: "b",
    api_base: "http://h/v1",
    stand_in: true,
  });
  assert.deepEqual(model, { ...prompt, model: "b", apiBase: "http://h/v1", standIn: true });
  const settings = confirmed(model, {
    type: "settings_updated",
    prompt: "P",
    system_prompt: "",
    max_tokens: 9,
    interval: 1.5,
    max_latency: 0,
    min_change: 0.02,
  });
  assert.deepEqual(settings, { ...model, minChange: 0.02 });
});

test("the server's field names find the page's fields", () => {
  assert.equal(fieldOf("max_tokens"), "maxTokens");
  assert.equal(fieldOf("process_every"), "interval");
  assert.equal(fieldOf("min_change"), "minChange");
  assert.equal(fieldOf("sdp"), null);
  assert.equal(fieldOf("constructor"), null);
  assert.equal(fieldOf(null), null);
});

test("stored preferences come back; what is wrong in them does not", () => {
  let kept: string | null = null;
  const storage = () =>
    ({ getItem: () => kept, setItem: (_: string, value: string) => (kept = value) }) as never;
  const preferences = {
    own: { prompt: "Count.", systemPrompt: "", maxTokens: 64, interval: 0.5, minChange: 0 },
    mirrored: true,
    camera: "device:x",
  };
  savePreferences(storage, preferences);
  assert.deepEqual(loadPreferences(storage), preferences);

  const none = { own: {}, mirrored: false, camera: "" };
  const bad = {
    own: { prompt: "", maxTokens: 1.5, interval: -1, minChange: 2 },
    mirrored: 1,
    camera: 5,
  };
  assert.deepEqual(parsePreferences(bad), none);
  kept = "not JSON";
  assert.deepEqual(loadPreferences(storage), none);
});

test("a page without storage works", () => {
  const storage = () => {
    throw new Error("SecurityError");
  };
  assert.deepEqual(loadPreferences(storage), { own: {}, mirrored: false, camera: "" });
  assert.doesNotThrow(() => savePreferences(storage, { own: {}, mirrored: true, camera: "" }));
});
