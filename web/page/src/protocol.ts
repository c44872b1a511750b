// Every message between page and server. docs/protocol.md is the contract;
// protocol.json pins one example of each, and the server's tests read it too.
import type { Change, ChoiceName, Choices } from "./choices.ts";
import { forEachChoice, isOfKind } from "./choices.ts";

type Check<T> = (value: unknown) => value is T;
type Shape = Record<string, Check<unknown>>;
type Checked<S extends Shape> = { [K in keyof S]: S[K] extends Check<infer T> ? T : never };

const text: Check<string> = (value) => typeof value === "string";
const number: Check<number> = (value): value is number =>
  typeof value === "number" && Number.isFinite(value);
const flag: Check<boolean> = (value) => typeof value === "boolean";

function orNull<T>(check: Check<T>): Check<T | null> {
  return (value): value is T | null => value === null || check(value);
}

function oneOf<const T extends string>(...words: T[]): Check<T> {
  return (value): value is T => words.some((word) => word === value);
}

function listOf<T>(check: Check<T>): Check<T[]> {
  return (value): value is T[] => Array.isArray(value) && value.every(check);
}

function object<S extends Shape>(shape: S): Check<Checked<S>> {
  return (value): value is Checked<S> => isRecord(value) && wrongField(value, shape) === null;
}

const bound = object({ min: number, max: number });

const framesMode = oneOf("on_demand", "all", "pictures");

const choices = forEachChoice((name) => (value: unknown) => isOfKind(name, value)) as {
  [N in ChoiceName]: Check<Choices[N]>;
};

const metrics = object({
  last_latency_ms: number,
  avg_latency_ms: number,
  total_inferences: number,
  is_processing: flag,
  first_token_ms: orNull(number),
  tokens_in: orNull(number),
  tokens_out: orNull(number),
  tokens_per_second: orNull(number),
  age_ms: orNull(number),
  unchanged: number,
  finish_reason: orNull(text),
});

const response = {
  seq: number,
  at_ms: number,
  text,
  prompt: text,
  model: orNull(text),
  api_base: text,
  metrics,
};

const fromServer = {
  status: {
    text,
    status: oneOf("Ready", "Connecting", "Live", "Waiting", "Stopped", "Failed"),
    unchanged: number,
  },
  server_config: {
    session_id: text,
    model: orNull(text),
    api_base: orNull(text),
    ...choices,
    process_every: number,
    bounds: object(forEachChoice(() => bound)),
    ice_servers: listOf(
      object({ urls: listOf(text), username: orNull(text), credential: orNull(text) }),
    ),
    stand_in: flag,
    version: text,
  },
  prompt_updated: { prompt: text, max_tokens: number, system_prompt: orNull(text) },
  model_updated: { model: orNull(text), api_base: orNull(text), stand_in: flag },
  processing_updated: { process_every: number, interval: number },
  max_latency_updated: { max_latency: number },
  settings_updated: choices,
  debug_updated: { debug: flag },
  answer_delta: {
    seq: number,
    offset: number,
    delta: text,
    model: orNull(text),
    age_ms: orNull(number),
    first_token_ms: orNull(number),
  },
  vlm_response: response,
  history: { answers: listOf(object(response)) },
  vlm_error: { seq: number, kind: text, message: text, retry_in_ms: orNull(number) },
  closing: { message: text, within_s: number },
  frame_wanted: { seq: number, frames: number, spacing: number, max_size: number },
  frames: { mode: framesMode },
  alive: {},
  debug: { text },
  error: {
    code: text,
    field: orNull(text),
    message: text,
    allowed: orNull(text),
    retry_after_s: orNull(number),
    limit: orNull(text),
    value: orNull(number),
  },
} satisfies Record<string, Shape>;

type Messages<S extends Record<string, Shape>> = {
  [T in keyof S]: { type: T } & Checked<S[T]>;
};

export type ServerMessage = Messages<typeof fromServer>[keyof typeof fromServer];
export type ServerMessageOf<T extends ServerMessage["type"]> = Extract<ServerMessage, { type: T }>;
export type Metrics = ServerMessageOf<"vlm_response">["metrics"];
export type SessionStatus = ServerMessageOf<"status">["status"];
/** How the server wants the video: single frames, all of them, or pictures by its WebSocket. */
export type FramesMode = ServerMessageOf<"frames">["mode"];

/** What the page sends. The server understands more, which other clients send. */
export type ClientMessage =
  | ({ type: "update_settings" } & Change)
  | { type: "update_model"; model: string; api_base: string; api_key: string }
  | { type: "ice_candidate"; candidate: string; sdp_m_line_index: number }
  | { type: "relay_failed"; why: "silent" | "refused" | "no_way"; code: number | null }
  | { type: "send_pictures"; on: boolean }
  | { type: "ask_now" }
  | { type: "alive" }
  | { type: "hang_up" };

export class ProtocolError extends Error {
  override name = "ProtocolError";
}

/** Gives the message back if it is one, with all its fields right; throws a ProtocolError if not. */
export function parseServerMessage(json: unknown): ServerMessage {
  if (!isRecord(json)) throw new ProtocolError("a message must be an object");
  const type = json.type;
  if (typeof type !== "string" || !Object.hasOwn(fromServer, type)) {
    throw new ProtocolError(`unknown message type ${JSON.stringify(type)}`);
  }
  const wrong = wrongField(json, fromServer[type as keyof typeof fromServer]);
  if (wrong !== null) throw new ProtocolError(`${type}: the field ${wrong} is missing or wrong`);
  return json as ServerMessage;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrongField(value: Record<string, unknown>, shape: Shape): string | null {
  for (const [name, check] of Object.entries(shape)) {
    if (!Object.hasOwn(value, name) || !check(value[name])) return name;
  }
  return null;
}
