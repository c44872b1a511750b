// Who the server takes this browser for, and signing in and out.
import { Refused, refusal } from "./api.ts";
import { isRecord } from "./protocol.ts";

/** A server without sign-in takes everybody; `user` is null then. */
export type Who =
  | { is: "signed in"; user: string | null }
  | { is: "signed out" }
  /** There is no server, or none that can say it. */
  | { is: "unknown" };

const ANSWER_MS = 5000;

export async function whoAmI(): Promise<Who> {
  try {
    const reply = await fetch("who-am-i", {
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (reply.status === 401) return { is: "signed out" };
    return reply.ok ? parseWho(await reply.json()) : { is: "unknown" };
  } catch {
    return { is: "unknown" };
  }
}

export function parseWho(body: unknown): Who {
  if (!isRecord(body)) return { is: "unknown" };
  if (body.sign_in === "off") return { is: "signed in", user: null };
  if (body.sign_in !== "on" || typeof body.user !== "string") return { is: "unknown" };
  return { is: "signed in", user: body.user };
}

/** Shows the server a key or a token; a `Refused` says why it is not taken. */
export async function signIn(key: string): Promise<Who> {
  const reply = await fetch("sign-in", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ key }),
  });
  const body: unknown = await reply.json().catch(() => null);
  if (!reply.ok) throw refusal(reply.status, body);
  return parseWho(body);
}

export async function signOut(): Promise<void> {
  const reply = await fetch("sign-out", { method: "POST" });
  if (!reply.ok) throw new Refused("The server did not sign you out.");
}

/** Why signing in failed, as a person reads it. */
export function signInWords(error: unknown): string {
  if (!(error instanceof Refused)) return "This page cannot reach the server. Is it running?";
  switch (error.code) {
    case "sign_in_failed":
      return "This key does not work here. It may be mistyped, expired or revoked.";
    case "limit_reached": {
      const wait = Math.max(1, Math.ceil(error.retryAfterS ?? 60));
      return `Too many tries. Try again in ${wait} s.`;
    }
    case "bad_field":
    case "too_large":
      return "This is not a key. Copy the whole key that you were given.";
    default:
      return error.message;
  }
}

/** The key in an address such as `https://host/#key=lvk_...`, which is sent to nobody. */
export function keyInFragment(hash: string): string | null {
  const key = new URLSearchParams(hash.replace(/^#/, "")).get("key")?.trim() ?? "";
  return key === "" ? null : key;
}
