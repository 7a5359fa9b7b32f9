/** Counts by a key of a closed list. */
export class Tally<K extends string> {
  readonly #counts = new Map<K, number>();

  /** @param keys counted from zero, so that the first occurrence is seen as an increase */
  constructor(keys: readonly K[] = []) {
    for (const key of keys) this.#counts.set(key, 0);
  }

  add(key: K): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  entries(): Iterable<readonly [K, number]> {
    return this.#counts.entries();
  }
}
