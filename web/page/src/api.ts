// The server's plain HTTP requests.
import { isRecord, ProtocolError, parseServerMessage } from "./protocol.ts";

export interface Model {
  id: string;
  name: string;
  current: boolean;
  vision: boolean;
}

export interface Service {
  name: string;
  url: string;
}

/** The server, or what it asked, said no; `retryAfterS` is when to try again, null = do not. */
export class Refused extends Error {
  override name = "Refused";
  readonly code: string;
  readonly field: string | null;
  readonly retryAfterS: number | null;

  constructor(
    message: string,
    code = "",
    field: string | null = null,
    retryAfterS: number | null = null,
  ) {
    super(message);
    this.code = code;
    this.field = field;
    this.retryAfterS = retryAfterS;
  }
}

/** Why a request failed, in words. */
export function reason(error: unknown): string {
  // fetch gives a TypeError when there is no reply at all.
  return error instanceof Refused ? error.message : "This page cannot reach the server.";
}

/** Whether the server, or anybody in its place, replies. */
export async function isReached(signal: AbortSignal): Promise<boolean> {
  try {
    await fetch("healthz", { cache: "no-store", signal });
    return true;
  } catch {
    return false;
  }
}

/** The server's reply to an offer. */
export interface OfferReply {
  sdp: string;
  /** Whether it wants a frame now and then; a server that does not say so wants all. */
  onDemand: boolean;
}

/** `onDemand`: whether this page can give single frames. */
export async function postOffer(
  sdp: string,
  sessionId: string,
  onDemand: boolean,
  signal: AbortSignal,
): Promise<OfferReply> {
  const more = onDemand ? { frames_on_demand: true } : {};
  const reply = await fetch("offer", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sdp, type: "offer", session_id: sessionId, ...more }),
    signal,
  });
  const body = await jsonOf(reply);
  if (!reply.ok) throw refusal(reply.status, body);
  const answer = field(body, "sdp");
  if (typeof answer !== "string")
    throw new Refused("The server's reply to the video offer has no SDP. Reload the page.");
  return { sdp: answer, onDemand: field(body, "frames") === "on_demand" };
}

/** The models of the server's own VLM, or of the one given. */
export async function listModels(apiBase = "", apiKey = ""): Promise<Model[]> {
  // Not in the address, which proxies log.
  const reply = await fetch("models", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(apiBase === "" ? {} : { api_base: apiBase, api_key: apiKey }),
  });
  const body = await jsonOf(reply);
  if (!reply.ok) throw refusal(reply.status, body);
  const error = field(body, "error");
  if (typeof error === "string" && error !== "") throw new Refused(error);
  return parseModels(body);
}

export function parseModels(body: unknown): Model[] {
  const models = field(body, "models");
  if (!Array.isArray(models)) return [];
  return models.flatMap((entry: unknown): Model[] => {
    const id = field(entry, "id");
    if (typeof id !== "string" || id === "") return [];
    const name = field(entry, "name");
    return [
      {
        id,
        name: typeof name === "string" && name !== "" ? name : id,
        current: field(entry, "current") === true,
        vision: field(entry, "vision") !== false,
      },
    ];
  });
}

export async function detectServices(): Promise<Service[]> {
  const reply = await fetch("detect-services", { cache: "no-store" });
  const body = await jsonOf(reply);
  if (!reply.ok) throw refusal(reply.status, body);
  const detected = field(body, "detected");
  if (!Array.isArray(detected)) return [];
  return detected.flatMap((entry: unknown): Service[] => {
    const url = field(entry, "url");
    const name = field(entry, "name");
    return typeof url === "string" && typeof name === "string" ? [{ name, url }] : [];
  });
}

export function refusal(status: number, body: unknown): Refused {
  try {
    const error = parseServerMessage(body);
    if (error.type === "error") {
      return new Refused(error.message, error.code, error.field, error.retry_after_s);
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  return new Refused(
    `The server refused the request with status ${status}.`,
    "",
    null,
    status >= 500 ? 2 : null,
  );
}

async function jsonOf(reply: Response): Promise<unknown> {
  try {
    return await reply.json();
  } catch {
    return null;
  }
}

function field(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined;
}
