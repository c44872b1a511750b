// The way that the video takes through the network: pure, time is an argument.

/** After connecting, browsers change to better ways for a while. */
const SETTLING_MS = 5000;
/** A server that gets video reports on it several times a second, and on a frame at once. */
const DEAF_MS = 1000;

/** What a connection's statistics say of the way in use. */
export interface Way {
  /** Our address on it. */
  local: string;
  /** Bytes that came by it. */
  received: number;
  /** Packets of video that were sent so far; null where a browser does not tell. */
  sent: number | null;
}

/**
 * `moved`: our address is another now. `deaf`: nothing comes any more in reply to video. `quiet`:
 * nothing comes, and no video is sent to which anything should.
 */
export type Path = "fine" | "moved" | "deaf" | "quiet";

export class PathWatch {
  readonly #began: number;
  #way: Way | null = null;
  #looked: number;
  #heard: number;
  /** Since when video is sent to which nothing came. */
  #unanswered: number | null;

  /** Of a connection that is up since now. */
  constructor(now: number) {
    this.#began = now;
    this.#looked = now;
    this.#heard = now;
    this.#unanswered = now;
  }

  look(way: Way, now: number): Path {
    const before = this.#way;
    this.#way = way;
    const moved = before !== null && before.local !== way.local;
    const since = this.#looked;
    this.#looked = now;
    if (moved && now - this.#began >= SETTLING_MS) return "moved";
    const heard = moved || way.received > (before?.received ?? 0);
    const sending = way.sent === null || way.sent > (before?.sent ?? 0);
    if (heard) {
      this.#heard = now;
      this.#unanswered = null;
    } else if (sending) this.#unanswered ??= since;
    const silentMs = this.#unanswered === null ? 0 : now - this.#unanswered;
    if (silentMs >= DEAF_MS) return "deaf";
    return now - this.#heard >= DEAF_MS ? "quiet" : "fine";
  }
}

type Report = Record<string, unknown>;

/** The way in use, if the statistics tell: each browser has its own fields for it. */
export function wayOf(reports: readonly Report[]): Way | null {
  const byId = (id: unknown) => reports.find((report) => report.id === id);
  const transport = reports.find(({ type }) => type === "transport");
  const pairs = reports.filter(({ type }) => type === "candidate-pair");
  const pair =
    byId(transport?.selectedCandidatePairId) ??
    pairs.find(({ selected }) => selected === true) ??
    pairs.find(({ nominated, state }) => nominated === true && state === "succeeded");
  if (pair === undefined) return null;
  const candidate = byId(pair.localCandidateId);
  // Behind NAT `address` is that of the NAT; where there is another, it is this device's own.
  const local = candidate?.relatedAddress ?? candidate?.address ?? candidate?.ip;
  if (typeof local !== "string" || typeof pair.bytesReceived !== "number") return null;
  const video = reports.find(({ type, kind }) => type === "outbound-rtp" && kind === "video");
  const sent = typeof video?.packetsSent === "number" ? video.packetsSent : null;
  return { local, received: pair.bytesReceived, sent };
}
