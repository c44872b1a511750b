import type { Scope } from "../scope.ts";
import { sentence } from "../words.ts";
import { byId } from "./dom.ts";

const APPLIED_MS = 1800;

/** One input with the note beside it: a brief "Applied", or what is wrong with it. */
export class Field<E extends HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement> {
  readonly input: E;
  readonly #scope: Scope;
  readonly #note: HTMLElement;
  #cancel = () => {};

  constructor(scope: Scope, id: string, kind: abstract new () => E) {
    this.#scope = scope;
    this.input = byId(id, kind);
    this.#note = byId(`${id}-note`, HTMLElement);
    scope.listen(this.input, "input", () => this.clear());
  }

  get isWrong(): boolean {
    return this.input.getAttribute("aria-invalid") === "true";
  }

  applied(): void {
    this.#show("Applied", "applied");
    this.#cancel = this.#scope.after(APPLIED_MS, () => this.clear());
  }

  busy(text: string): void {
    this.#show(text, "busy");
  }

  wrong(message: string): void {
    this.#show(sentence(message), "wrong");
    this.input.setAttribute("aria-invalid", "true");
    const folded = this.input.closest("details");
    if (folded !== null) folded.open = true;
  }

  clear(): void {
    this.#show("", "");
  }

  #show(text: string, state: string): void {
    this.#cancel();
    this.input.removeAttribute("aria-invalid");
    this.#note.textContent = text;
    this.#note.dataset.state = state;
  }
}
