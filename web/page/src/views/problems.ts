import type { Problems } from "../problems.ts";
import type { Scope } from "../scope.ts";
import { byId, make } from "./dom.ts";
import { whenView } from "./when.ts";

/** What is wrong. */
export function problemsView(scope: Scope, problems: Problems): void {
  const list = byId("problem", HTMLUListElement);
  let stops: (() => void)[] = [];
  problems.changed.on(scope, (all) => {
    for (const stop of stops) stop();
    const whens = all.map(({ retryAt }) => whenView(scope, retryAt));
    stops = whens.map(({ stop }) => stop);
    const items = all.map(({ message }, at) => make("li", "", message, whens[at]?.element ?? ""));
    list.replaceChildren(...items);
    list.hidden = items.length === 0;
  });
}
