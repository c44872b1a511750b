import type { Problems } from "../problems.ts";
import type { Scope } from "../scope.ts";
import { byTest, make } from "./dom.ts";

export function problemsView(scope: Scope, problems: Problems): void {
  const list = byTest("problem", HTMLUListElement);
  problems.changed.on(scope, (messages) => {
    list.replaceChildren(...messages.map((message) => make("li", "", message)));
    list.hidden = messages.length === 0;
  });
}
