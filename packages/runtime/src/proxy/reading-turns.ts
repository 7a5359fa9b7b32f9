/** Somebody who reads content that has no end in sight, and can stop. */
export interface TurnReader {
  /** It is its turn again. */
  readOn(): void;
}

/** Read in one turn of the event loop: a millisecond or two of its time, the way out included. */
const TURN_BYTES = 1024 * 1024;
/** Read by one in a turn when others wait: stopping and starting costs a tenth of the reading of so much. */
const SHARE_BYTES = 256 * 1024;
/** Reads below that are left alone: what is small ends by itself, and calls with small content pay nothing here. */
const LARGE_READ = 8 * 1024;

/**
 * Shares the event loop among those who read large content. libuv reads up to 32 buffers from one socket before it looks
 * at the next, so a few hundred connections whose content finds room in the system's buffers (their clients need not
 * even read) make one turn of 400 MB: half a second in which nobody else is served. Here they have a share of a turn
 * each when there is not enough for all, first come first served (decision 040).
 */
export class ReadingTurns {
  #left = TURN_BYTES;
  /** Who read last, and how much in this turn. */
  #reader: TurnReader | undefined;
  #readerBytes = 0;
  #scheduled = false;
  #waiting: TurnReader[] = [];
  /** Of those before it, the turn has come. */
  #next = 0;

  /** Those that wait for their turn. */
  get size(): number {
    return this.#waiting.length - this.#next;
  }

  /**
   * To be told of each read.
   * @returns false: it must read no more until {@link TurnReader.readOn}, which comes exactly once, whatever became of
   *   the reader meanwhile
   */
  mayReadOn(reader: TurnReader, bytes: number): boolean {
    if (bytes < LARGE_READ) return true;
    this.#left -= bytes;
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#turn);
    }
    if (this.#reader !== reader) {
      this.#reader = reader;
      this.#readerBytes = 0;
    }
    this.#readerBytes += bytes;
    if (this.#left > 0 && (this.size === 0 || this.#readerBytes < SHARE_BYTES)) return true;
    this.#waiting.push(reader);
    return false;
  }

  /** Runs behind the reads of a turn. */
  readonly #turn = (): void => {
    this.#left = TURN_BYTES;
    this.#reader = undefined;
    const until = Math.min(this.#waiting.length, this.#next + TURN_BYTES / SHARE_BYTES);
    while (this.#next < until) {
      const reader = this.#waiting[this.#next];
      this.#next += 1;
      reader?.readOn();
    }
    if (this.size === 0 || this.#next > 1_024) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    this.#scheduled = this.size > 0;
    if (this.#scheduled) setImmediate(this.#turn);
  };
}

/** One event loop, one of them. */
export const READING_TURNS: ReadingTurns = new ReadingTurns();
