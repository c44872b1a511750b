import { now } from "../clock.ts";
import { renderMarkdown } from "../markdown.ts";
import type { Scope } from "../scope.ts";
import type { Session } from "../session.ts";
import { answeredBy } from "../words.ts";
import { byId, make } from "./dom.ts";
import { whenView } from "./when.ts";

/** However fast tokens come: people read no faster, and each drawing of the text costs the page. */
const DRAWN_MS = 80;

/** The newest answer, as it is written, or in its place why there is none. */
export function answerView(scope: Scope, session: Session): void {
  const box = byId("answer", HTMLElement);
  const by = byId("answered-by", HTMLElement);
  let pending: string | null = null;
  let frame = 0;
  let drawn = Number.NEGATIVE_INFINITY;
  let cancelLater = () => {};
  let failed = { message: "", stop: () => {} };
  scope.own(() => cancelAnimationFrame(frame));

  const show = (text: string, state: string) => {
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
    box.replaceChildren(renderMarkdown(text, document));
    box.dataset.state = state;
    if (atEnd) box.scrollTop = box.scrollHeight;
  };
  const showPending = () => {
    frame = 0;
    drawn = now();
    if (pending !== null) show(pending, "writing");
    pending = null;
  };

  session.partial.on(scope, ({ text, model }) => {
    if (box.dataset.state !== "writing" && pending === null) {
      // The new answer begins with one word: without this, all below would jump up and down.
      box.style.minHeight = `${box.offsetHeight}px`;
    }
    const isDue = pending !== null;
    pending = text;
    if (by.textContent !== model) by.textContent = model;
    if (isDue) return;
    cancelLater = scope.after(Math.max(0, drawn + DRAWN_MS - now()), () => {
      frame = requestAnimationFrame(showPending);
    });
  });
  const forget = () => {
    cancelLater();
    cancelAnimationFrame(frame);
    frame = 0;
    pending = null;
    failed.stop();
  };
  const cutShort = () => {
    if (box.dataset.state === "writing") box.dataset.state = "cancelled";
    if (box.dataset.state !== "failed") return;
    failed.stop();
    box.replaceChildren();
    box.dataset.state = "none";
  };
  session.failed.on(scope, ({ message, retryAt }) => {
    forget();
    by.textContent = "";
    const { element, stop } = whenView(scope, retryAt);
    const said = failed.message;
    failed = { message, stop };
    const [why] = box.children;
    if (box.dataset.state === "failed" && said === message && why !== undefined) {
      // What is said again is not read aloud again.
      why.lastElementChild?.replaceWith(element);
      return;
    }
    const words = make("p", "", message, element);
    words.role = "alert";
    box.replaceChildren(words);
    box.dataset.state = "failed";
    box.style.removeProperty("min-height");
  });
  session.interrupted.on(scope, cutShort);
  session.video.on(scope, ({ state }) => state === "off" && cutShort());
  session.answer.on(scope, (answer) => {
    forget();
    if (answer.cancelled && answer.text === "") {
      cutShort();
      return;
    }
    box.style.removeProperty("min-height");
    show(answer.text, answer.cancelled ? "cancelled" : "done");
    by.textContent = answeredBy(answer, session.settings.applied?.apiBase ?? "");
  });
}
