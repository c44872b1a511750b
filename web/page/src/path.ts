// The way that the video takes through the network: pure, time is an argument.

/** After connecting, browsers change to better ways for a while. */
const SETTLING_MS = 5000;
/** A server that gets video reports on it several times a second. */
const DEAF_MS = 1000;

/** What a connection's statistics say of the way in use. */
export interface Way {
  /** Our address on it. */
  local: string;
  /** Bytes that came by it. */
  received: number;
}

/** `moved`: our address is another now. `deaf`: nothing comes any more. */
export type Path = "fine" | "moved" | "deaf";

export class PathWatch {
  readonly #began: number;
  #way: Way | null = null;
  #grew: number;

  /** Of a connection that is up since now. */
  constructor(now: number) {
    this.#began = now;
    this.#grew = now;
  }

  look(way: Way, now: number): Path {
    const before = this.#way;
    this.#way = way;
    const moved = before !== null && before.local !== way.local;
    if (moved && now - this.#began >= SETTLING_MS) return "moved";
    if (moved || way.received > (before?.received ?? 0)) this.#grew = now;
    return now - this.#grew >= DEAF_MS ? "deaf" : "fine";
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
  return { local, received: pair.bytesReceived };
}
