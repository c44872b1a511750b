import type { Metrics, ServerMessageOf } from "./protocol.ts";
import { Signal } from "./signal.ts";

type Response = Omit<ServerMessageOf<"vlm_response">, "type">;

export interface Answer {
  seq: number;
  text: string;
  model: string;
  /** The server that answered. */
  apiBase: string;
  /** Wall-clock time at which it was complete, in ms. */
  at: number;
  /** The VLM was stopped before it had said all. */
  cancelled: boolean;
  metrics: Metrics;
}

/**
 * Puts an answer's deltas together. What a delta does not leave of the text so far is taken back: a
 * thinking model had only thought it. A slow client may miss some: what begins behind the end of the
 * text so far is ignored, and the complete answer puts it right.
 */
export class Assembler {
  #seq: number | null = null;
  #text = "";
  #complete = false;

  /** The text so far, or null if this delta changes nothing. */
  delta({ seq, offset, delta }: ServerMessageOf<"answer_delta">): string | null {
    if (seq !== this.#seq) {
      if (offset !== 0) return null;
      this.#begin(seq);
    }
    if (this.#complete || offset > this.#text.length) return null;
    // Without a copy of all that was there, as long as nothing is taken back.
    const kept = offset === this.#text.length ? this.#text : this.#text.slice(0, offset);
    this.#text = kept + delta;
    return this.#text;
  }

  /** The complete answer, or null if it is known already. */
  complete(message: Response, at: number): Answer | null {
    const { seq, text } = message;
    if (seq === this.#seq && this.#complete) return null;
    this.#begin(seq);
    this.#text = text;
    this.#complete = true;
    return answerOf(message, at);
  }

  /** Numbers start again with a new session or a new video, so none is known any more. */
  reset(): void {
    this.#seq = null;
    this.#text = "";
    this.#complete = false;
  }

  #begin(seq: number): void {
    if (seq === this.#seq) return;
    this.reset();
    this.#seq = seq;
  }
}

/** As many as a server tells a page that comes back, and more. */
const KNOWN = 100;

/**
 * Which complete answers of this session are known. By the server's time and number, as either
 * alone may come again: its clock may be set, and numbers start again with each video.
 */
export class Known {
  #keys = new Set<string>();

  /** Whether this one is new. It is known from now on. */
  add({ at_ms, seq }: Pick<Response, "at_ms" | "seq">): boolean {
    const key = `${at_ms} ${seq}`;
    if (this.#keys.has(key)) return false;
    this.#keys.add(key);
    const [oldest] = this.#keys;
    if (this.#keys.size > KNOWN && oldest !== undefined) this.#keys.delete(oldest);
    return true;
  }
}

export function answerOf(message: Response, at: number): Answer {
  const { seq, text, metrics } = message;
  const cancelled = metrics.finish_reason === "cancelled";
  return {
    seq,
    text,
    model: message.model ?? "",
    apiBase: message.api_base,
    at,
    cancelled,
    metrics,
  };
}

/** The answers before the newest one, at most `most` of them. */
export class History {
  readonly added = new Signal<Answer>();
  readonly #most: number;
  #newest: Answer | null = null;
  #answers: Answer[] = [];

  constructor(most = 50) {
    this.#most = most;
  }

  /** Newest first. */
  get answers(): readonly Answer[] {
    return this.#answers;
  }

  /** A complete answer, which is the newest one from now on. */
  answered(answer: Answer): void {
    // The VLM was stopped before the first word, so the answer before stays the newest.
    if (answer.cancelled && answer.text === "") return;
    this.passed();
    this.#newest = answer;
  }

  /** The newest answer is not the newest any more: another one begins, or a question has failed. */
  passed(): void {
    const answer = this.#newest;
    this.#newest = null;
    // Part of an answer, or one without a word, says nothing to anybody later.
    if (answer === null || answer.cancelled || answer.text.trim() === "") return;
    this.#answers = [answer, ...this.#answers].slice(0, this.#most);
    this.added.emit(answer);
  }
}
