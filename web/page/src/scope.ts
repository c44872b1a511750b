/** The events of what a page listens to, by their names. */
type EventsOf<T> = T extends Window
  ? WindowEventMap
  : T extends Document
    ? DocumentEventMap
    : T extends HTMLElement
      ? HTMLElementEventMap
      : T extends WebSocket
        ? WebSocketEventMap
        : T extends RTCPeerConnection
          ? RTCPeerConnectionEventMap
          : Record<string, Event>;

/** Owns timers, listeners and whatever else must end together. Ending is once and for all. */
export class Scope {
  #ends = new Set<() => void>();
  #ended = false;

  get ended(): boolean {
    return this.#ended;
  }

  /** Runs `end` when the scope ends (now, if it has); gives a function that runs it earlier. */
  own(end: () => void): () => void {
    if (this.#ended) {
      end();
      return () => {};
    }
    const once = () => {
      if (this.#ends.delete(once)) end();
    };
    this.#ends.add(once);
    return once;
  }

  child(): Scope {
    const child = new Scope();
    const forget = this.own(() => child.end());
    child.own(forget);
    return child;
  }

  listen<T extends EventTarget, K extends keyof EventsOf<T> & string>(
    target: T,
    type: K,
    listener: (event: EventsOf<T>[K]) => void,
  ): void {
    if (this.#ended) return;
    // The name says which event it is, which EventTarget by itself does not know.
    const untyped = listener as (event: Event) => void;
    target.addEventListener(type, untyped);
    this.own(() => target.removeEventListener(type, untyped));
  }

  after(ms: number, run: () => void): () => void {
    if (this.#ended) return () => {};
    const timer = setTimeout(() => {
      cancel();
      run();
    }, ms);
    const cancel = this.own(() => clearTimeout(timer));
    return cancel;
  }

  every(ms: number, run: () => void): () => void {
    if (this.#ended) return () => {};
    const timer = setInterval(run, ms);
    return this.own(() => clearInterval(timer));
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const end of [...this.#ends].reverse()) end();
  }
}
