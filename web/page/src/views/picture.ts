import { LINES } from "../camera.ts";
import type { Send } from "../pictures.ts";
import { SENDS } from "../pictures.ts";
import type { Scope } from "../scope.ts";
import type { Session } from "../session.ts";
import type { Preferences } from "../stored.ts";
import { byId, option } from "./dom.ts";

const WORDS: Record<Send, { name: string; hint: string }> = {
  automatic: {
    name: "Automatic",
    hint: "Video, or single pictures where video does not get through.",
  },
  video: { name: "Video", hint: "Only video, by UDP." },
  pictures: {
    name: "Pictures",
    hint: "Single pictures, by the way that this page came. They work behind every firewall.",
  },
};

/** How large the camera's picture is, and how it is sent. */
export function pictureView(
  scope: Scope,
  session: Session,
  preferences: Preferences,
  save: () => void,
): void {
  const lines = byId("lines", HTMLSelectElement);
  lines.replaceChildren(...LINES.map((each) => option(String(each), `${each} lines`)));
  lines.value = String(preferences.lines);
  scope.listen(lines, "change", () => {
    preferences.lines = Number(lines.value);
    save();
    session.switchCamera();
  });

  const send = byId("send", HTMLSelectElement);
  const hint = byId("send-hint", HTMLElement);
  const explain = () => {
    hint.textContent = WORDS[preferences.send].hint;
  };
  send.replaceChildren(...SENDS.map((each) => option(each, WORDS[each].name)));
  send.value = preferences.send;
  scope.listen(send, "change", () => {
    preferences.send = SENDS.find((each) => each === send.value) ?? "automatic";
    save();
    explain();
    session.sendChanged();
  });
  explain();
}
