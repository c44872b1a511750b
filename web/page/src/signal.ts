import type { Scope } from "./scope.ts";

/** Tells whoever listens, in the order in which they came. */
export class Signal<T> {
  #listeners = new Set<(value: T) => void>();

  on(scope: Scope, listener: (value: T) => void): void {
    this.#listeners.add(listener);
    scope.own(() => this.#listeners.delete(listener));
  }

  emit(value: T): void {
    for (const listener of this.#listeners) listener(value);
  }
}
