import type { Bounds, Change } from "./choices.ts";
import type { ClientMessage, ServerMessageOf } from "./protocol.ts";
import { updateModel, updateSettings } from "./send.ts";
import type { Applied, Confirmation, FieldName, Vlm } from "./settings.ts";
import { appliedFrom, confirmed, fieldOf, isVlmField, messagesToRestore } from "./settings.ts";
import { Signal } from "./signal.ts";
import type { Preferences } from "./stored.ts";

/** Keeps what the person set and what the server confirmed, and brings the two together. */
export class SettingsKeeper {
  readonly changed = new Signal<Applied>();
  readonly fieldApplied = new Signal<FieldName>();
  readonly fieldWrong = new Signal<{ field: FieldName; message: string }>();

  applied: Applied | null = null;
  /** What the server allows; null until it has said so. */
  bounds: Bounds | null = null;
  vlm: Vlm | null = null;

  /** Only what the person has changed; the rest is the server's. */
  readonly #own: Change;
  /** What cannot be sent now is sent when the server is back: see `config`. */
  readonly #send: (message: ClientMessage) => void;
  /** Sent by the person just now, and not confirmed yet. */
  readonly #pending = new Set<FieldName>();

  constructor({ own }: Pick<Preferences, "own">, send: (message: ClientMessage) => void) {
    this.#own = own;
    this.#send = send;
  }

  choose(change: Change): void {
    Object.assign(this.#own, change);
    for (const field of Object.keys(change)) this.#pending.add(field as FieldName);
    this.#send(updateSettings(change));
  }

  setVlm(vlm: Vlm): void {
    this.vlm = vlm;
    this.#pending.add("model");
    this.#send(updateModel(vlm.model, vlm.apiBase, vlm.apiKey));
  }

  /** The server told all that it holds: a new session knows nothing of the person's yet. */
  config(config: ServerMessageOf<"server_config">): void {
    const applied = appliedFrom(config);
    const { bounds } = config;
    this.applied = applied;
    this.bounds = bounds;
    this.changed.emit(applied);
    const lacking = messagesToRestore(this.#own, this.vlm, applied, bounds);
    for (const message of lacking) this.#send(message);
  }

  confirm(message: Confirmation): void {
    if (this.applied === null) return;
    const applied = confirmed(this.applied, message);
    this.applied = applied;
    this.changed.emit(applied);
    for (const field of this.#pending) {
      const isDone = isVlmField(field)
        ? message.type === "model_updated"
        : // What was changed once more meanwhile is still to come.
          message.type === "settings_updated" && message[field] === this.#own[field];
      if (!isDone) continue;
      this.#pending.delete(field);
      this.fieldApplied.emit(field);
    }
  }

  /** False if the error is about none of the fields. */
  refused(error: ServerMessageOf<"error">): boolean {
    const field = fieldOf(error.field);
    if (field === null) return false;
    this.#pending.delete(field);
    // What the server does not take is not sent again when it comes back.
    if (isVlmField(field)) this.vlm = null;
    else delete this.#own[field];
    this.fieldWrong.emit({ field, message: error.message });
    return true;
  }
}
