import { now } from "../clock.ts";
import type { Scope } from "../scope.ts";
import { tryingAgain } from "../words.ts";
import { make } from "./dom.ts";

/**
 * When something is tried again, by `now()`, counted down until `stop`. It is not read aloud, as it
 * would be every second.
 */
export function whenView(
  scope: Scope,
  retryAt: number | null,
): { element: HTMLElement; stop: () => void } {
  const element = make("span", "when");
  element.ariaHidden = "true";
  if (retryAt === null) return { element, stop: () => {} };
  const tick = () => {
    const words = tryingAgain(retryAt, now());
    if (element.textContent !== words) element.textContent = words;
  };
  tick();
  return { element, stop: scope.every(250, tick) };
}
