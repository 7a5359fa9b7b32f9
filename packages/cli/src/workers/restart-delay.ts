const FIRST_MS = 100;
const LONGEST_MS = 5_000;
/** Who lived so long did not die of its start. */
const CALM_MS = 10_000;

/** How long to wait before a worker's place is taken again: not at all the first time, longer while it dies soon. */
export class RestartDelay {
  #soon = 0;

  /** @param livedMs of the worker that ended. @returns milliseconds */
  next(livedMs: number): number {
    if (livedMs >= CALM_MS) this.#soon = 0;
    this.#soon += 1;
    return this.#soon === 1 ? 0 : Math.min(LONGEST_MS, FIRST_MS * 2 ** (this.#soon - 2));
  }
}
