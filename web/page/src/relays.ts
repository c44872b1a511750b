// What came of the relays (TURN) that the server named, for when the video does not reach it.

/** Why no relay was of use. */
export interface RelayFailure {
  /** No relay answers, one does not let the page in, or it does but leads nowhere. */
  why: "silent" | "refused" | "no_way";
  /** The error code of a relay that refused (RFC 8489, RFC 8656), such as 401. */
  code: number | null;
}

/** Watches one connection's relays. */
export class Relays {
  readonly #servers: RTCIceServer[];
  #entered = false;
  #code: number | null = null;

  constructor(servers: RTCIceServer[]) {
    this.#servers = servers;
  }

  /** The browser has found an address at which it can be reached. */
  candidate(candidate: string): void {
    if (/ typ relay( |$)/.test(candidate)) this.#entered = true;
  }

  /** A browser's `icecandidateerror`. Not every browser has it, and 701 is no word of a relay's. */
  error(code: number): void {
    if (code >= 400 && code < 700) this.#code = code;
  }

  /** Why none was of use to a connection that never came about; null if there is none to use. */
  failure(): RelayFailure | null {
    if (this.#servers.length === 0) return null;
    if (this.#entered) return { why: "no_way", code: null };
    return { why: this.#code === null ? "silent" : "refused", code: this.#code };
  }

  /** The same for people. */
  words(): string {
    const failure = this.failure();
    if (failure === null) return "";
    const relay = `The relay ${hostOf(this.#servers)}`;
    const tell = "Please tell the person who runs the server.";
    switch (failure.why) {
      case "silent":
        return `${relay} does not answer either.`;
      case "refused":
        return `${relay} does not let this page in (${failure.code}). ${tell}`;
      case "no_way":
        return `${relay} answers, but does not lead to the server. ${tell}`;
    }
  }
}

/** Without scheme, port and transport, which are for browsers. */
function hostOf(servers: RTCIceServer[]): string {
  const url = servers.flatMap(({ urls }) => urls)[0] ?? "";
  return url.replace(/^turns?:/, "").replace(/(:\d+)?(\?.*)?$/, "");
}
