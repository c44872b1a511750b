// What the page remembers from visit to visit. Never a key, never the session's id.
import { LINES, USUAL_LINES } from "./camera.ts";
import type { Change } from "./choices.ts";
import { changeIn } from "./choices.ts";
import type { Send } from "./pictures.ts";
import { SENDS } from "./pictures.ts";

export interface Preferences {
  /** What the person has chosen other than the server does. */
  own: Change;
  mirrored: boolean;
  camera: string;
  /** Lines of the camera's picture, one of `LINES`. */
  lines: number;
  send: Send;
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
  return {
    own: changeIn(named(record(kept.own))),
    mirrored: kept.mirrored === true,
    camera: typeof kept.camera === "string" ? kept.camera : "",
    lines: LINES.find((lines) => lines === kept.lines) ?? USUAL_LINES,
    send: SENDS.find((send) => send === kept.send) ?? "automatic",
  };
}

/** Version 0.1.0 stored `maxTokens` for `max_tokens`. */
function named(stored: Record<string, unknown>): Record<string, unknown> {
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(stored).map(([name, value]) => [snake(name), value]));
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
