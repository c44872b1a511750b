// What the person has set, what the server has confirmed, and what brings the two together.
import type { ClientMessage, ServerMessage, ServerMessageOf } from "./protocol.ts";
import { updateInterval, updateMinChange, updateModel, updatePrompt } from "./send.ts";

/** Only what the person has changed; the rest is the server's. */
export interface Own {
  prompt?: string;
  systemPrompt?: string;
  maxTokens?: number;
  interval?: number;
  /** From 0 to 1, as in `Applied`. */
  minChange?: number;
}

/** The chosen VLM: an empty `apiBase` is the server's own. In memory only, for the key's sake. */
export interface Vlm {
  model: string;
  apiBase: string;
  apiKey: string;
}

/** What the server holds for this session. */
export interface Applied {
  prompt: string;
  systemPrompt: string;
  maxTokens: number;
  interval: number;
  /** The share of the picture that must have changed for a question; 0 = none. */
  minChange: number;
  model: string;
  apiBase: string;
  standIn: boolean;
}

export type FieldName =
  | "prompt"
  | "systemPrompt"
  | "maxTokens"
  | "interval"
  | "minChange"
  | "model"
  | "apiBase"
  | "apiKey";

const FIELDS: Readonly<Record<string, FieldName>> = {
  prompt: "prompt",
  system_prompt: "systemPrompt",
  max_tokens: "maxTokens",
  interval: "interval",
  process_every: "interval",
  min_change: "minChange",
  model: "model",
  api_base: "apiBase",
  api_key: "apiKey",
};

/** The page's field for the `field` of an `error` message. */
export function fieldOf(name: string | null): FieldName | null {
  return name !== null && Object.hasOwn(FIELDS, name) ? (FIELDS[name] ?? null) : null;
}

export function appliedFrom(config: ServerMessageOf<"server_config">): Applied {
  return {
    prompt: config.prompt,
    systemPrompt: config.system_prompt ?? "",
    maxTokens: config.max_tokens,
    interval: config.interval,
    minChange: config.min_change,
    model: config.model ?? "",
    apiBase: config.api_base ?? "",
    standIn: config.stand_in,
  };
}

/** What the server holds after it has confirmed something. */
export function confirmed(applied: Applied, message: ServerMessage): Applied {
  switch (message.type) {
    case "server_config":
      return appliedFrom(message);
    case "prompt_updated":
      return {
        ...applied,
        prompt: message.prompt,
        systemPrompt: message.system_prompt ?? "",
        maxTokens: message.max_tokens,
      };
    case "processing_updated":
      return { ...applied, interval: message.interval };
    case "settings_updated":
      return {
        ...applied,
        prompt: message.prompt,
        systemPrompt: message.system_prompt,
        maxTokens: message.max_tokens,
        interval: message.interval,
        minChange: message.min_change,
      };
    case "model_updated":
      return {
        ...applied,
        model: message.model ?? "",
        apiBase: message.api_base ?? "",
        standIn: message.stand_in,
      };
    default:
      return applied;
  }
}

export function promptMessage(own: Own, applied: Applied): ClientMessage {
  return updatePrompt(
    own.prompt ?? applied.prompt,
    own.maxTokens ?? applied.maxTokens,
    own.systemPrompt ?? applied.systemPrompt,
  );
}

/** What to send so that the server holds what the person has set: nothing if it does already. */
export function messagesToRestore(own: Own, vlm: Vlm | null, applied: Applied): ClientMessage[] {
  const messages: ClientMessage[] = [];
  const differs = <T>(mine: T | undefined, theirs: T) => mine !== undefined && mine !== theirs;
  if (vlm !== null) {
    const base = vlm.apiBase !== "" && trimmed(vlm.apiBase) !== trimmed(applied.apiBase);
    if (base || vlm.model !== applied.model) {
      messages.push(updateModel(vlm.model, vlm.apiBase, vlm.apiKey));
    }
  }
  if (
    differs(own.prompt, applied.prompt) ||
    differs(own.maxTokens, applied.maxTokens) ||
    differs(own.systemPrompt, applied.systemPrompt)
  ) {
    messages.push(promptMessage(own, applied));
  }
  if (own.interval !== undefined && own.interval !== applied.interval) {
    messages.push(updateInterval(own.interval));
  }
  if (own.minChange !== undefined && own.minChange !== applied.minChange) {
    messages.push(updateMinChange(own.minChange));
  }
  return messages;
}

function trimmed(base: string): string {
  return base.replace(/\/+$/, "");
}
