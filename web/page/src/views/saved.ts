import type { Scope } from "../scope.ts";
import type { Session } from "../session.ts";
import { savedWords } from "../words.ts";
import { find, make } from "./dom.ts";

/** How many questions were not asked as nothing had changed, below the choice that saves them. */
export function savedView(scope: Scope, session: Session): void {
  const saved = make("span", "quiet saved");
  saved.id = "saved";
  find(".switched", HTMLElement).append(saved);
  session.saved.on(scope, (questions) => {
    const words = savedWords(questions);
    if (saved.textContent !== words) saved.textContent = words;
  });
}
