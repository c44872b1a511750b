import { now } from "../clock.ts";
import type { Scope } from "../scope.ts";
import type { Session } from "../session.ts";
import { countdown } from "../words.ts";
import { byId, find } from "./dom.ts";

/** The state of the connection, in words. Only the words are read out, not every second of it. */
export function connectionView(scope: Scope, session: Session): void {
  const root = byId("connection", HTMLElement);
  const words = find(".words", HTMLElement, root);
  const when = find(".when", HTMLElement, root);
  let stop = () => {};
  session.connection.on(scope, (state) => {
    stop();
    root.dataset.tone = state.tone;
    if (words.textContent !== state.words) words.textContent = state.words;
    const { retryAt } = state;
    const tick = () => {
      when.textContent = retryAt === null ? "" : countdown(retryAt, now());
    };
    tick();
    if (retryAt !== null) stop = scope.every(250, tick);
  });
}
