/** Hashes at once per instance: each takes a core for 20 ms and 19 MiB. */
const SLOTS = 2;
/** Waiting ones: at 20 ms a hash and two at once the last waits about 0.6 s. */
const QUEUE = 64;

/** Keeps a burst of logins from taking the processor away from calls. */
export class HashSlots {
  #busy = 0;
  readonly #waiting: (() => void)[] = [];

  /** @returns undefined when the queue is full; the work was not begun */
  async run<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#busy >= SLOTS) {
      if (this.#waiting.length >= QUEUE) return undefined;
      await new Promise<void>((resume) => this.#waiting.push(resume));
    } else {
      this.#busy += 1;
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy -= 1;
    }
  }
}
