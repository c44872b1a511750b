// Makes the messages that the page sends, so that every one has exactly the contract's fields.
import type { Change } from "./choices.ts";
import type { ClientMessage } from "./protocol.ts";
import type { RelayFailure } from "./relays.ts";

export function updateSettings(change: Change): ClientMessage {
  return { type: "update_settings", ...change };
}

/** An empty `apiBase` means the server's own; a key goes only with a base beside it. */
export function updateModel(model: string, apiBase = "", apiKey = ""): ClientMessage {
  return {
    type: "update_model",
    model,
    api_base: apiBase,
    api_key: apiBase === "" ? "" : apiKey,
  };
}

export function iceCandidate(candidate: string, sdp_m_line_index: number): ClientMessage {
  return { type: "ice_candidate", candidate, sdp_m_line_index };
}

export function relayFailed({ why, code }: RelayFailure): ClientMessage {
  return { type: "relay_failed", why, code };
}

/** Pictures come in place of video, until the next offer. */
export function sendPictures(): ClientMessage {
  return { type: "send_pictures", on: true };
}

export function askNow(): ClientMessage {
  return { type: "ask_now" };
}

/** Asks for a sign of life. */
export function alive(): ClientMessage {
  return { type: "alive" };
}

export function hangUp(): ClientMessage {
  return { type: "hang_up" };
}
