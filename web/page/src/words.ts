// What the page says about its state, and figures as people read them.
import type { SocketState, Why } from "./socket.ts";
import type { VideoState } from "./video.ts";

export interface Words {
  words: string;
  tone: "wait" | "ready" | "live" | "gone";
  /** When the next try is, by `now()`, to count down to. */
  retryAt: number | null;
}

/** The model, and its server where that is another than the one that was chosen. */
export function answeredBy(answer: { model: string; apiBase: string }, chosen: string): string {
  if (answer.apiBase === "" || chosen === "" || answer.apiBase === chosen) return answer.model;
  return `${answer.model} ${atHost(answer.apiBase)}`.trim();
}

/** Where a server is, in words; nothing if that is no address. */
export function atHost(apiBase: string): string {
  try {
    return `at ${new URL(apiBase).host}`;
  } catch {
    return "";
  }
}

/** `ended`: why the server has ended the video, in its words; empty if it did not. */
export function connectionWords(socket: SocketState, video: VideoState, ended = ""): Words {
  const wait = (words: string): Words => ({ words, tone: "wait", retryAt: null });
  switch (socket.is) {
    case "gone": {
      const what = socket.refused ? "The server refused this page" : GONE;
      return { words: `${what}. Trying again`, tone: "gone", retryAt: socket.retryAt };
    }
    case "signed out":
      return { words: "Signed out", tone: "gone", retryAt: null };
    case "connecting":
      return socketWords(socket.why);
    case "open":
      return socket.quiet ? wait("Waiting for the server…") : videoWords(video, ended);
  }
}

const GONE = "The server cannot be reached";

function socketWords(why: Why): Words {
  const words = {
    start: "Connecting…",
    loss: "The connection was lost. Connecting again…",
    network: "The network has changed. Connecting again…",
    gone: `${GONE}. Trying again now…`,
    silence: "The server does not answer. Trying again…",
  };
  const tone = why === "gone" || why === "silence" ? "gone" : "wait";
  return { words: words[why], tone, retryAt: null };
}

function videoWords(video: VideoState, ended: string): Words {
  const wait = (words: string): Words => ({ words, tone: "wait", retryAt: null });
  switch (video) {
    case "off":
      return { words: "Ready", tone: "ready", retryAt: null };
    case "camera":
      return wait("Waiting for the camera…");
    case "connecting":
      return wait("Connecting…");
    case "waiting":
      return wait("Waiting for a picture…");
    case "again":
      return wait(lostWords(ended));
    case "live":
      return { words: "Live", tone: "live", retryAt: null };
  }
}

function lostWords(ended: string): string {
  const what = sentence(ended === "" ? "The video was lost" : ended);
  // The server may say what follows.
  return /connecting again\.$/.test(what) ? `${what.slice(0, -1)}…` : `${what} Connecting again…`;
}

export function countdown(retryAt: number, now: number): string {
  const seconds = Math.ceil((retryAt - now) / 1000);
  return seconds > 0 ? ` in ${seconds} s` : " now…";
}

/** What follows a problem while the page tries again. */
export function tryingAgain(retryAt: number | null, now: number): string {
  if (retryAt === null) return "";
  const when = countdown(retryAt, now);
  return ` Trying again${when}${when.endsWith("…") ? "" : "."}`;
}

/** Answers come at least this often, or as often as they are asked for and take. */
const USUAL_MS = 2500;

/**
 * How old the newest answer is, once that is more than twice what is usual; empty before.
 * `intervalMs`: between two questions; `latencyMs`: from question to answer.
 */
export function answerAge(ageMs: number, intervalMs: number, latencyMs: number): string {
  if (ageMs < 2 * Math.max(USUAL_MS, intervalMs, latencyMs)) return "";
  const seconds = Math.floor(ageMs / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const age = seconds < 120 ? `${seconds} s` : minutes < 120 ? `${minutes} min` : `${hours} h`;
  return `last answer ${age} ago`;
}

/** What asking only when the picture changes has saved. */
export function savedWords(questions: number): string {
  if (questions === 0) return "";
  return questions === 1 ? "1 question saved" : `${questions} questions saved`;
}

/** Milliseconds as people read them: 240 ms, 1.2 s, 75 s. */
export function duration(ms: number | null): string {
  if (ms === null) return "–";
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  return seconds < 9.95 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

export function speed(tokensPerSecond: number | null): string {
  if (tokensPerSecond === null) return "–";
  return tokensPerSecond < 9.95 ? tokensPerSecond.toFixed(1) : tokensPerSecond.toFixed(0);
}

/** What the server says, as a sentence of its own. */
export function sentence(message: string): string {
  const text = message.trim();
  const [first = "", ...rest] = text;
  // Addresses and names of models stay as they are.
  const capital = /^[a-z]+[ ,]/.test(text) ? first.toUpperCase() : first;
  return `${capital}${rest.join("")}${/[.!?…]$/.test(text) ? "" : "."}`;
}

export function vlmErrorWords(message: string, isRetried: boolean): string {
  return `${sentence(message)}${isRetried ? "" : " The server asks again when you change something."}`;
}
