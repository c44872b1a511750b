import type { ClientMessage, ServerMessage, ServerMessageOf } from "./protocol.ts";
import { updateInterval, updateMinChange, updateModel } from "./send.ts";
import type { Applied, FieldName, Own, Vlm } from "./settings.ts";
import { appliedFrom, confirmed, fieldOf, messagesToRestore, promptMessage } from "./settings.ts";
import { Signal } from "./signal.ts";
import type { Preferences } from "./stored.ts";

/** Keeps what the person set and what the server confirmed, and brings the two together. */
export class SettingsKeeper {
  readonly changed = new Signal<Applied>();
  readonly fieldApplied = new Signal<FieldName>();
  readonly fieldWrong = new Signal<{ field: FieldName; message: string }>();

  applied: Applied | null = null;
  /** What the server allows; null until it has said so. */
  bounds: ServerMessageOf<"server_config">["bounds"] | null = null;
  vlm: Vlm | null = null;

  readonly #own: Own;
  /** What cannot be sent now is sent when the server is back: see `config`. */
  readonly #send: (message: ClientMessage) => void;
  /** Sent by the person just now, and not confirmed yet. */
  readonly #pending = new Set<FieldName>();

  constructor({ own }: Pick<Preferences, "own">, send: (message: ClientMessage) => void) {
    this.#own = own;
    this.#send = send;
  }

  setPrompt(prompt: string): void {
    this.#own.prompt = prompt;
    this.#sendPrompt("prompt");
  }

  setSystemPrompt(systemPrompt: string): void {
    this.#own.systemPrompt = systemPrompt;
    this.#sendPrompt("systemPrompt");
  }

  setMaxTokens(maxTokens: number): void {
    this.#own.maxTokens = maxTokens;
    this.#sendPrompt("maxTokens");
  }

  setInterval(interval: number): void {
    this.#own.interval = interval;
    this.#pending.add("interval");
    this.#send(updateInterval(interval));
  }

  setMinChange(minChange: number): void {
    this.#own.minChange = minChange;
    this.#pending.add("minChange");
    this.#send(updateMinChange(minChange));
  }

  setVlm(vlm: Vlm): void {
    this.vlm = vlm;
    this.#pending.add("model");
    this.#send(updateModel(vlm.model, vlm.apiBase, vlm.apiKey));
  }

  /** The server told all that it holds: a new session knows nothing of the person's yet. */
  config(config: ServerMessageOf<"server_config">): void {
    const applied = appliedFrom(config);
    this.applied = applied;
    this.bounds = config.bounds;
    this.changed.emit(applied);
    for (const message of messagesToRestore(this.#own, this.vlm, applied)) this.#send(message);
  }

  confirm(message: ServerMessage, fields: FieldName[]): void {
    if (this.applied === null) return;
    this.applied = confirmed(this.applied, message);
    this.changed.emit(this.applied);
    for (const field of fields) {
      if (this.#pending.delete(field)) this.fieldApplied.emit(field);
    }
  }

  /** False if the error is about none of the fields. */
  refused(error: ServerMessageOf<"error">): boolean {
    const field = fieldOf(error.field);
    if (field === null) return false;
    this.#pending.delete(field);
    // What the server does not take is not sent again when it comes back.
    if (field === "model" || field === "apiBase" || field === "apiKey") this.vlm = null;
    else delete this.#own[field];
    this.fieldWrong.emit({ field, message: error.message });
    return true;
  }

  #sendPrompt(field: FieldName): void {
    if (this.applied === null) return;
    this.#pending.add(field);
    this.#send(promptMessage(this.#own, this.applied));
  }
}
