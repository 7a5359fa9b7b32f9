import type { FileHandle } from "node:fs/promises";
import { AigwError } from "../errors.ts";

/** Of the four threads of Node's pool: looking up names, hashing passwords and compression need the others. */
const MOST_AT_ONCE = 2;
/** A disk that is busy is slower than one expects, but not by so much, milliseconds. */
const PATIENCE_MS = 30_000;

interface Waiting {
  readonly begin: () => void;
  readonly giveUp: (error: AigwError) => void;
  /** It is made all the same, when nobody waits for it any more. */
  readonly isKept: boolean;
}

/**
 * Calls of a file system that may not come back, as those of a mount whose server is away: each holds a thread of Node's
 * pool until then. So only a few are under way at once, and the others wait their turn. Nobody waits for ever: when one
 * takes too long, the folder counts as away until that one is back. Until then nothing else is begun, so that nothing
 * that comes late meets what was done in its place meanwhile.
 */
export class FolderCalls {
  readonly path: string;
  readonly #patienceMs: number;
  #waiting: Waiting[] = [];
  /** Those under way; each gives itself up. */
  readonly #open = new Set<() => void>();
  #late = 0;

  /** @param path named in errors */
  constructor(path: string, patienceMs: number = PATIENCE_MS) {
    this.path = path;
    this.#patienceMs = patienceMs;
  }

  /**
   * @param onLate gets what came back when nobody waited for it any more
   * @throws AigwError `store_unavailable` when the folder is away; what `call` throws
   */
  run<T>(call: () => Promise<T>, onLate?: (late: T) => void): Promise<T> {
    return this.#run(call, onLate, false);
  }

  /** Lets a file go, as soon as that can be; does not wait for a folder that is away. */
  async close(file: FileHandle): Promise<void> {
    await this.#run(() => file.close(), undefined, true).catch(() => undefined);
  }

  /** The process ends: what is under way is waited for no more, and nothing else is begun. */
  abandon(): void {
    this.#late += 1;
    for (const giveUp of this.#open) giveUp();
    this.#giveUp();
  }

  #run<T>(call: () => Promise<T>, onLate: ((late: T) => void) | undefined, isKept: boolean): Promise<T> {
    return new Promise<T>((settle, reject) => {
      if (this.#late > 0) {
        reject(this.#away());
        if (!isKept) return;
      }
      const begin = (): void => {
        let isLate = false;
        const giveUp = (): void => {
          if (isLate) return;
          isLate = true;
          this.#late += 1;
          reject(this.#away());
          this.#giveUp();
        };
        const timer = setTimeout(giveUp, this.#patienceMs);
        this.#open.add(giveUp);
        const over = (): void => {
          clearTimeout(timer);
          if (isLate) this.#late -= 1;
          this.#open.delete(giveUp);
          this.#next();
        };
        call()
          .finally(over)
          .then((value) => (isLate ? onLate?.(value) : settle(value)), reject);
      };
      this.#waiting.push({ begin, giveUp: reject, isKept });
      this.#next();
    });
  }

  #next(): void {
    while (this.#open.size < MOST_AT_ONCE) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next.begin();
    }
  }

  #giveUp(): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ isKept }) => isKept);
    for (const { giveUp } of waiting) giveUp(this.#away());
  }

  #away(): AigwError {
    return new AigwError(
      "store_unavailable",
      `${this.path} does not answer: its file system is away, or too slow. Check the mount and the disk.`,
      { details: { path: this.path, system: "ETIMEDOUT" } },
    );
  }
}
