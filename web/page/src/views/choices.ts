import type { ChoiceName, FormField } from "../choices.ts";
import { CHOICE_NAMES, fieldFor, isWholeNumber, shown, written } from "../choices.ts";
import type { Scope } from "../scope.ts";
import type { SettingsKeeper } from "../settings-keeper.ts";
import { byId, find, make } from "./dom.ts";
import { Field } from "./field.ts";

const TYPING_MS = 600;

type Input = HTMLInputElement | HTMLTextAreaElement;

/** Makes a field for each setting that has one. Each is sent a moment after the last key. */
export function choicesView(scope: Scope, settings: SettingsKeeper): void {
  for (const name of CHOICE_NAMES) {
    const described = fieldFor(name);
    if (described === null) continue;
    const id = name.replaceAll("_", "-");
    const place = described.place === "more" ? "more" : "choices";
    const input = "unit" in described ? numberInput(name) : textInput(described.hint);
    const element = fieldElement(id, input, described);
    byId(place, HTMLElement).append(element);
    if ("on" in described) bindSwitch(scope, settings, name, element, described.on);
    const kind = "unit" in described ? HTMLInputElement : HTMLTextAreaElement;
    bind(scope, settings, name, new Field<Input>(scope, id, kind));
  }
}

function fieldElement(id: string, input: Input, field: FormField): HTMLElement {
  const label = make("label", "", field.label);
  label.htmlFor = id;
  const note = make("span", "note");
  note.id = `${id}-note`;
  note.role = "status";
  input.id = id;
  input.autocomplete = "off";
  input.setAttribute("aria-describedby", note.id);
  const className = field.place === "row" ? "field wide" : "field";
  if (!("unit" in field)) return make("div", className, label, input, note);
  const unit = make("span", "", field.unit);
  unit.id = `${id}-unit`;
  input.setAttribute("aria-describedby", `${unit.id} ${note.id}`);
  const number = make("span", "unit", input, unit);
  if (!("on" in field)) return make("div", className, label, number, note);
  const box = make("input", "");
  box.type = "checkbox";
  box.id = `${id}-on`;
  box.autocomplete = "off";
  label.htmlFor = box.id;
  const before = make("label", "quiet", field.before);
  before.htmlFor = id;
  const rest = make("span", "amount", before, number);
  return make("div", `${className} switched`, make("span", "check", box, label), rest, note);
}

/** A box to tick, which shows the number where it is ticked. */
function bindSwitch(
  scope: Scope,
  settings: SettingsKeeper,
  name: ChoiceName,
  element: HTMLElement,
  on: string,
): void {
  const box = find("[type=checkbox]", HTMLInputElement, element);
  const rest = find(".amount", HTMLElement, element);
  const isOff = () => settings.applied === null || Number(settings.applied.choices[name]) === 0;
  const show = () => {
    rest.hidden = !box.checked;
  };
  box.disabled = true;
  scope.listen(box, "change", () => {
    show();
    if (settings.bounds === null) return;
    const read = written(name, box.checked ? on : "0", settings.bounds);
    if ("change" in read) settings.choose(read.change);
  });
  settings.changed.on(scope, () => {
    box.disabled = false;
    // Somebody may be writing a 0 with more to come.
    if (rest.contains(document.activeElement)) return;
    box.checked = !isOff();
    show();
  });
  show();
}

function numberInput(name: ChoiceName): HTMLInputElement {
  const input = make("input", "");
  input.type = "number";
  input.step = isWholeNumber(name) ? "1" : "any";
  input.inputMode = isWholeNumber(name) ? "numeric" : "decimal";
  return input;
}

function textInput(hint: string): HTMLTextAreaElement {
  const input = make("textarea", "");
  input.rows = 2;
  input.placeholder = hint;
  return input;
}

function bind(scope: Scope, settings: SettingsKeeper, name: ChoiceName, field: Field<Input>): void {
  let pending = () => {};
  let sent: string | null = null;
  const apply = () => {
    pending();
    const { value } = field.input;
    // Before the server has said what it takes, there is nobody to send it to.
    if (value === sent || settings.bounds === null) return;
    const read = written(name, value, settings.bounds);
    if ("wrong" in read) {
      field.wrong(read.wrong);
      return;
    }
    sent = value;
    settings.choose(read.change);
  };
  scope.listen(field.input, "input", () => {
    pending();
    pending = scope.after(TYPING_MS, apply);
  });
  scope.listen(field.input, "change", apply);
  settings.changed.on(scope, ({ choices }) => {
    // What the person is writing, or still has to mend, stays as it is.
    if (document.activeElement === field.input || field.isWrong) return;
    sent = shown(name, choices);
    field.input.value = sent;
  });
  settings.fieldApplied.on(scope, (applied) => applied === name && field.applied());
  settings.fieldWrong.on(scope, (wrong) => {
    if (wrong.field === name) field.wrong(wrong.message);
  });
}
