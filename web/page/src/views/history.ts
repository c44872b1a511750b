import type { Answer } from "../answers.ts";
import { renderMarkdown } from "../markdown.ts";
import type { Scope } from "../scope.ts";
import type { Session } from "../session.ts";
import { duration } from "../words.ts";
import { byId, make } from "./dom.ts";

/** The answers before the newest one. */
export function historyView(scope: Scope, session: Session): void {
  const list = byId("history", HTMLOListElement);
  const save = byId("save-history", HTMLButtonElement);

  session.history.added.on(scope, (answer) => {
    list.prepend(itemOf(answer));
    while (list.children.length > session.history.answers.length) list.lastElementChild?.remove();
    save.hidden = false;
  });
  scope.listen(save, "click", () => download(asText(session.history.answers)));
}

function itemOf(answer: Answer): HTMLLIElement {
  const at = new Date(answer.at);
  const time = make("time", "", at.toLocaleTimeString(undefined, { hour12: false }));
  time.dateTime = at.toISOString();
  time.title = `Latency ${duration(answer.metrics.last_latency_ms)}`;
  const text = make("div", "past-text");
  text.append(renderMarkdown(answer.text, document));
  return make("li", "", time, text);
}

export function asText(answers: readonly Answer[]): string {
  const lines = answers.map(
    ({ at, model, text }) => `${new Date(at).toISOString()}  ${model}\n${text}\n`,
  );
  return lines.reverse().join("\n");
}

function download(text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = make("a", "");
  link.href = url;
  link.download = "live-vlm.txt";
  link.click();
  URL.revokeObjectURL(url);
}
