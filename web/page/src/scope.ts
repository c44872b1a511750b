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

  listen(
    target: EventTarget,
    type: string,
    listener: (event: Event) => void,
    options?: AddEventListenerOptions,
  ): void {
    if (this.#ended) return;
    target.addEventListener(type, listener, options);
    this.own(() => target.removeEventListener(type, listener, options));
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
