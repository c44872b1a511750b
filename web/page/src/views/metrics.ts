import type { Scope } from "../scope.ts";
import type { Session } from "../session.ts";
import { sparkline } from "../sparkline.ts";
import { duration, speed } from "../words.ts";
import { byId, find } from "./dom.ts";

const KEPT = 40;

/** How fast the newest answer came. */
export function metricsView(scope: Scope, session: Session): void {
  const shown = (name: string) => byId(`metric-${name}`, HTMLElement);
  const firstToken = shown("first-token");
  const rate = shown("tokens-per-second");
  const latency = shown("latency");
  const age = shown("age");
  const answers = shown("answers");
  const picture = byId("sparkline", SVGSVGElement);
  const line = find(".line", SVGPathElement, picture);
  const area = find(".area", SVGPathElement, picture);
  let latencies: number[] = [];

  session.answer.on(scope, ({ metrics, cancelled }) => {
    if (cancelled) return;
    firstToken.textContent = duration(metrics.first_token_ms);
    rate.textContent = speed(metrics.tokens_per_second);
    latency.textContent = duration(metrics.last_latency_ms);
    age.textContent = duration(metrics.age_ms);
    answers.textContent = String(metrics.total_inferences);
    latencies = [...latencies, metrics.last_latency_ms].slice(-KEPT);
    const path = sparkline(latencies, 200, 36);
    line.setAttribute("d", path.line);
    area.setAttribute("d", path.area);
    picture.toggleAttribute("hidden", latencies.length < 3);
  });
}
