// What is wrong just now, one sentence of each kind.
import { Signal } from "./signal.ts";

/** In the order in which they are shown. */
const KINDS = ["page", "camera", "server", "media", "vlm"] as const;
export type ProblemKind = (typeof KINDS)[number];

export class Problems {
  readonly changed = new Signal<readonly string[]>();
  #problems = new Map<ProblemKind, string>();

  set(kind: ProblemKind, message: string | null): void {
    if ((this.#problems.get(kind) ?? null) === message) return;
    if (message === null) this.#problems.delete(kind);
    else this.#problems.set(kind, message);
    this.changed.emit(this.list);
  }

  get list(): readonly string[] {
    return KINDS.flatMap((kind) => this.#problems.get(kind) ?? []);
  }
}
