// How long the first answer takes after Play, as marks of the User Timing API: browsers show them in
// their developer tools, and the browser tests read them.
import type { Scope } from "./scope.ts";
import type { Session } from "./session.ts";

const PLAY = "play";
const FIRST_TOKEN = "first-token";
const FIRST_ANSWER = "first-answer";

/** Play was pressed: the marks of the video before go. */
export function markPlay(): void {
  for (const name of [PLAY, FIRST_TOKEN, FIRST_ANSWER]) performance.clearMarks(name);
  performance.mark(PLAY);
}

/** Marks the first token and the first complete answer after each Play. */
export function markFirstAnswers(scope: Scope, session: Session): void {
  session.partial.on(scope, () => markOnce(FIRST_TOKEN));
  session.answer.on(scope, (answer) => {
    if (answer.cancelled) return;
    markOnce(FIRST_TOKEN);
    markOnce(FIRST_ANSWER);
  });
}

function markOnce(name: string): void {
  if (performance.getEntriesByName(name, "mark").length === 0) performance.mark(name);
}
