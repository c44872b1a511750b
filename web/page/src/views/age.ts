import { now } from "../clock.ts";
import type { Scope } from "../scope.ts";
import type { Session } from "../session.ts";
import { answerAge } from "../words.ts";
import { byId } from "./dom.ts";

/** How old the newest answer is, when it grows old. */
export function ageView(scope: Scope, session: Session): void {
  const shown = byId("answer-age", HTMLElement);
  let newest: number | null = null;
  let latency = 0;
  let playing = false;
  const show = () => {
    const interval = 1000 * (session.settings.applied?.choices.interval ?? 0);
    const age = newest === null || !playing ? "" : answerAge(now() - newest, interval, latency);
    if (shown.textContent !== age) shown.textContent = age;
    shown.hidden = age === "";
  };
  const came = () => {
    newest = now();
    show();
  };
  session.partial.on(scope, came);
  session.answer.on(scope, ({ metrics }) => {
    latency = metrics.last_latency_ms;
    came();
  });
  session.video.on(scope, ({ state }) => {
    if (playing !== (state !== "off")) newest = null;
    playing = state !== "off";
    show();
  });
  scope.every(500, show);
}
