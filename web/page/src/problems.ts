// What is wrong just now, one sentence of each kind.
import { Signal } from "./signal.ts";

/** In the order in which they are shown. */
const KINDS = ["page", "camera", "network", "server", "media", "vlm"] as const;
export type ProblemKind = (typeof KINDS)[number];

export interface Problem {
  message: string;
  /** When it is tried again, by `now()`, if that is known. */
  retryAt: number | null;
}

export class Problems {
  readonly changed = new Signal<readonly Problem[]>();
  #problems = new Map<ProblemKind, Problem>();

  set(kind: ProblemKind, message: string | null, retryAt: number | null = null): void {
    const before = this.#problems.get(kind);
    if (message === null) {
      if (!this.#problems.delete(kind)) return;
    } else {
      if (before?.message === message && before.retryAt === retryAt) return;
      this.#problems.set(kind, { message, retryAt });
    }
    this.changed.emit(this.list);
  }

  get list(): readonly Problem[] {
    return KINDS.flatMap((kind) => this.#problems.get(kind) ?? []);
  }
}
