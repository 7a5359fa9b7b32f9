import { availableParallelism } from "node:os";
import { standBackForCalls } from "./hash-priority.ts";

/** Hashes at once per instance: each takes a core for 20 ms and 19 MiB. On a single core a second one would only be in the way. */
const SLOTS = Math.min(2, availableParallelism());
/** Waiting ones: at 20 ms a hash and two at once the last waits about 0.6 s. */
const QUEUE = 64;

/** Keeps a burst of logins from taking the processor away from calls. */
export class HashSlots {
  #busy = 0;
  #standsBack = false;
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
      const result = work();
      // Only now there are threads for certain.
      if (!this.#standsBack) standBackForCalls();
      this.#standsBack = true;
      return await result;
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy -= 1;
    }
  }
}
