// What the page remembers from visit to visit. Never a key, never the session's id.
import type { Own } from "./settings.ts";

export interface Preferences {
  own: Own;
  mirrored: boolean;
  camera: string;
}

const NAME = "live-vlm";

export function loadPreferences(storage: () => Storage): Preferences {
  try {
    return parsePreferences(JSON.parse(storage().getItem(NAME) ?? "{}"));
  } catch {
    // Storage is switched off, or holds what we did not write.
    return parsePreferences(null);
  }
}

export function savePreferences(storage: () => Storage, preferences: Preferences): void {
  try {
    storage().setItem(NAME, JSON.stringify(preferences));
  } catch {
    // Storage is switched off or full: the page works without.
  }
}

export function forgetPreferences(storage: () => Storage): void {
  try {
    storage().removeItem(NAME);
  } catch {
    // Storage is switched off: there is nothing in it.
  }
}

export function parsePreferences(json: unknown): Preferences {
  const kept = record(json);
  const stored = record(kept.own);
  const own: Own = {};
  const { prompt, systemPrompt, maxTokens, interval, minChange } = stored;
  if (typeof prompt === "string" && prompt !== "") own.prompt = prompt;
  if (typeof systemPrompt === "string") own.systemPrompt = systemPrompt;
  if (typeof maxTokens === "number" && Number.isInteger(maxTokens) && maxTokens > 0)
    own.maxTokens = maxTokens;
  if (typeof interval === "number" && interval > 0) own.interval = interval;
  if (typeof minChange === "number" && minChange >= 0 && minChange <= 1) own.minChange = minChange;
  return {
    own,
    mirrored: kept.mirrored === true,
    camera: typeof kept.camera === "string" ? kept.camera : "",
  };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
