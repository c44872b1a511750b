// What the person has set, what the server has confirmed, and what brings the two together.
import type { Bounds, Change, ChoiceName, Choices } from "./choices.ts";
import { choicesIn, isChoiceName, lacking } from "./choices.ts";
import type { ClientMessage, ServerMessageOf } from "./protocol.ts";
import { updateModel, updateSettings } from "./send.ts";

/** The chosen VLM: an empty `apiBase` is the server's own. In memory only, for the key's sake. */
export interface Vlm {
  model: string;
  apiBase: string;
  apiKey: string;
}

/** What the server holds for this session. */
export interface Applied {
  choices: Choices;
  model: string;
  apiBase: string;
  standIn: boolean;
}

const VLM_FIELDS = ["model", "api_base", "api_key"] as const;

export type VlmField = (typeof VLM_FIELDS)[number];
/** As messages name them. */
export type FieldName = ChoiceName | VlmField;

export type Confirmation = ServerMessageOf<"settings_updated" | "model_updated">;

/** The page's field for the `field` of an `error` message. */
export function fieldOf(name: string | null): FieldName | null {
  if (name === null) return null;
  if (isChoiceName(name)) return name;
  return VLM_FIELDS.find((field) => field === name) ?? null;
}

export function isVlmField(field: FieldName): field is VlmField {
  return !isChoiceName(field);
}

export function appliedFrom(config: ServerMessageOf<"server_config">): Applied {
  return { choices: choicesIn(config), ...vlmIn(config) };
}

/** What the server holds after it has confirmed something. */
export function confirmed(applied: Applied, message: Confirmation): Applied {
  if (message.type === "model_updated") return { ...applied, ...vlmIn(message) };
  return { ...applied, choices: choicesIn(message) };
}

/** What to send so that the server holds what the person has set: nothing if it does already. */
export function messagesToRestore(
  own: Change,
  vlm: Vlm | null,
  applied: Applied,
  bounds: Bounds,
): ClientMessage[] {
  const messages: ClientMessage[] = [];
  if (vlm !== null) {
    const base = vlm.apiBase !== "" && trimmed(vlm.apiBase) !== trimmed(applied.apiBase);
    if (base || vlm.model !== applied.model) {
      messages.push(updateModel(vlm.model, vlm.apiBase, vlm.apiKey));
    }
  }
  const change = lacking(own, applied.choices, bounds);
  if (Object.keys(change).length > 0) messages.push(updateSettings(change));
  return messages;
}

function vlmIn(message: ServerMessageOf<"server_config" | "model_updated">) {
  return {
    model: message.model ?? "",
    apiBase: message.api_base ?? "",
    standIn: message.stand_in,
  };
}

function trimmed(base: string): string {
  return base.replace(/\/+$/, "");
}
