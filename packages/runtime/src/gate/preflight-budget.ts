/** Preflights in a second that are handed on, from one address and from all. Browsers remember the answers. */
const PER_SOURCE = 100;
const IN_ALL = 1_000;
const WINDOW_MS = 1_000;

/** Bounds what strangers can have handed on to services. In memory: it only has to keep a flood away. */
export class PreflightBudget {
  readonly #bySource = new Map<string, number>();
  #taken = 0;
  #until = Number.NEGATIVE_INFINITY;

  /** @param now monotonic milliseconds */
  take(source: string, now: number): boolean {
    if (now >= this.#until) {
      this.#until = now + WINDOW_MS;
      this.#taken = 0;
      this.#bySource.clear();
    }
    const before = this.#bySource.get(source) ?? 0;
    if (before >= PER_SOURCE || this.#taken >= IN_ALL) return false;
    this.#taken += 1;
    this.#bySource.set(source, before + 1);
    return true;
  }
}
