import type { JsonScanner } from "./json-scanner.ts";
import type { Totals } from "./totals.ts";

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const DATA = Buffer.from("data");
const MARK = Buffer.from("\ufeff");
const NEW_LINE = Buffer.from("\n");

/** The name of a line's field, as far as it is `data`. */
const NAME = 0;
/** What follows `data:`, where one space does not count. */
const BEFORE_VALUE = 1;
const VALUE = 2;
const SKIPPED = 3;
/** The mark that a stream may begin with. */
const BEGINNING = 4;

/**
 * Hands the data of each event of an event stream (the HTML standard, §9.2.6) to a scanner, as it comes: nothing is kept.
 * Data that is no JSON, such as `[DONE]`, counts for nothing.
 */
export class EventStream {
  readonly #scanner: JsonScanner;
  readonly #totals: Totals;
  #state: number = BEGINNING;
  #at = 0;
  /** A line feed that comes now belongs to the line before. */
  #sawCR = false;
  /** Bytes were seen in this line. */
  #inLine = false;
  #dataLines = 0;

  constructor(scanner: JsonScanner, totals: Totals) {
    this.#scanner = scanner;
    this.#totals = totals;
  }

  reset(): void {
    this.#state = BEGINNING;
    this.#at = 0;
    this.#sawCR = false;
    this.#inLine = false;
    this.#dataLines = 0;
  }

  feed(bytes: Buffer): void {
    const to = bytes.length;
    // Searched for when the one before is behind.
    let lf = -1;
    let cr = -1;
    for (let i = 0; i < to; ) {
      const byte = bytes[i] as number;
      if (this.#sawCR) {
        this.#sawCR = false;
        if (byte === LF) {
          i += 1;
          continue;
        }
      }
      if (byte === LF || byte === CR) {
        this.#sawCR = byte === CR;
        this.#endLine();
        i += 1;
        continue;
      }
      if (this.#state === BEGINNING) {
        if (byte === MARK[this.#at]) {
          this.#at += 1;
          i += 1;
          if (this.#at === MARK.length) this.#startLine();
          continue;
        }
        this.#startLine();
      }
      this.#inLine = true;
      if (this.#state === NAME) {
        if (byte === DATA[this.#at]) this.#at += 1;
        else this.#state = byte === COLON && this.#at === DATA.length ? BEFORE_VALUE : SKIPPED;
        i += 1;
        if (this.#state === BEFORE_VALUE) this.#startData();
        continue;
      }
      if (this.#state === BEFORE_VALUE) {
        this.#state = VALUE;
        if (byte === SPACE) {
          i += 1;
          continue;
        }
      }
      if (lf < i) lf = placeOf(bytes, LF, i);
      if (cr < i) cr = placeOf(bytes, CR, i);
      const end = Math.min(lf, cr);
      if (this.#state === VALUE) this.#scanner.feed(bytes, i, end);
      i = end;
    }
  }

  /** The stream has ended; what it has begun and not ended with an empty line counts when it is whole. */
  end(): void {
    if (this.#dataLines > 0) this.#totals.take(this.#scanner);
    this.#dataLines = 0;
  }

  #startLine(): void {
    this.#state = NAME;
    this.#at = 0;
    this.#inLine = false;
  }

  #startData(): void {
    if (this.#dataLines > 0) this.#scanner.feed(NEW_LINE, 0, 1);
    this.#dataLines += 1;
  }

  #endLine(): void {
    // A line that is `data` alone is an empty one of data.
    if (this.#state === NAME && this.#inLine && this.#at === DATA.length) this.#startData();
    if (!this.#inLine && this.#dataLines > 0) {
      this.#totals.take(this.#scanner);
      this.#dataLines = 0;
    }
    this.#startLine();
  }
}

const placeOf = (bytes: Buffer, byte: number, from: number): number => {
  const at = bytes.indexOf(byte, from);
  return at < 0 ? bytes.length : at;
};
