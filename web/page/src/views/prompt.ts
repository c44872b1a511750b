import { written } from "../choices.ts";
import { PRESETS } from "../presets.ts";
import type { Scope } from "../scope.ts";
import type { SettingsKeeper } from "../settings-keeper.ts";
import { byId, find, make } from "./dom.ts";
import { Field } from "./field.ts";

/** The question: free text or a ready-made one. */
export function promptView(scope: Scope, settings: SettingsKeeper, askNow: () => void): void {
  const field = new Field(scope, "prompt", HTMLTextAreaElement);
  const text = field.input;
  const form = byId("prompt-form", HTMLFormElement);
  const button = byId("apply-prompt", HTMLButtonElement);
  const group = find(".presets", HTMLElement);
  let asked: string | null = null;

  const chips = PRESETS.map((preset) => {
    const chip = make("button", "chip", preset.name);
    chip.type = "button";
    chip.title = preset.prompt;
    scope.listen(chip, "click", () => {
      text.value = preset.prompt;
      apply();
    });
    return { chip, preset };
  });
  group.append(...chips.map(({ chip }) => chip));

  const show = () => {
    const changed = asked !== null && text.value.trim() !== asked;
    button.classList.toggle("primary", changed);
    button.textContent = changed ? "Ask this" : "Ask now";
    for (const { chip, preset } of chips) {
      chip.setAttribute("aria-pressed", String(preset.prompt === text.value.trim()));
    }
  };
  const apply = () => {
    const prompt = text.value.trim();
    show();
    if (prompt === "") field.wrong("Write a question first.");
    else if (prompt === asked) {
      field.clear();
      askNow();
    } else if (settings.bounds !== null) {
      const read = written("prompt", prompt, settings.bounds);
      if ("wrong" in read) {
        field.wrong(read.wrong);
        return;
      }
      field.clear();
      settings.choose(read.change);
    }
  };

  scope.listen(text, "input", show);
  scope.listen(text, "keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    apply();
  });
  scope.listen(form, "submit", (event) => {
    event.preventDefault();
    apply();
  });
  settings.changed.on(scope, ({ choices: { prompt } }) => {
    // What the person is writing stays as it is.
    if (asked === null ? text.value === "" : text.value.trim() === asked) text.value = prompt;
    asked = prompt;
    show();
  });
  settings.fieldApplied.on(scope, (name) => name === "prompt" && field.applied());
  settings.fieldWrong.on(scope, ({ field: name, message }) => {
    if (name === "prompt") field.wrong(message);
  });
}
