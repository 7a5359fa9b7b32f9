import { JsonPaths } from "./json-paths.ts";
import { JsonScanner } from "./json-scanner.ts";

/** Of an event that may be the one to take out; a longer one is not it. */
const MAX_HELD = 64 * 1024;

const PATHS = new JsonPaths();
const CHOICES = PATHS.add(["choices"], "number");
const USAGE = PATHS.add(["usage"], "count");
PATHS.add(["choices", "0"], "some");
const ROOT = PATHS.compile();

const LF = 0x0a;
const CR = 0x0d;

/**
 * Takes the event out of a stream that is there only because the gateway asked for it: that with the totals and without
 * a choice. Everything else passes as it came, byte for byte, and at once: an event is held back only while all of it
 * that has come could be the beginning of that one.
 */
export class UsageEventFilter {
  readonly #scanner = new JsonScanner(ROOT, PATHS.numbers, PATHS.texts);
  /** Of the present event, when it may be the one. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** The present event is not the one: it passes. */
  #passes = false;
  /** The line's beginning, as far as it may be `data:`; undefined behind it. */
  #name: string | undefined = "";
  #isData = false;
  #dataLines = 0;
  #lineIsEmpty = true;
  #sawCR = false;
  /** Nothing of the next event has come; and the one before was taken out. */
  #isBetween = true;
  #isDropped = false;

  /**
   * @param bytes the next ones
   * @returns what of them, and of what was held back, goes to the client now; may share memory with `bytes`
   */
  push(bytes: Buffer): Buffer[] {
    const out: Buffer[] = [];
    // What is before `from` was dealt with; from `event` on it belongs to the present event.
    let from = 0;
    let event = 0;
    for (let i = 0; i < bytes.length; ) {
      const byte = bytes[i] as number;
      const isPair = this.#sawCR && byte === LF;
      this.#sawCR = byte === CR;
      if (isPair) {
        i += 1;
        // Of an event's empty line: it goes where the event went.
        if (this.#isBetween) event = i;
        if (this.#isDropped) from = i;
      } else if (byte === LF || byte === CR) {
        i += 1;
        if (!this.#endLine()) continue;
        this.#isDropped = this.#isTheOne();
        if (this.#isDropped) {
          if (event > from) out.push(bytes.subarray(from, event));
          from = i;
          this.#drop();
        } else this.#release(out);
        event = i;
        this.#startEvent();
      } else {
        this.#isBetween = false;
        this.#isDropped = false;
        const end = endOfLine(bytes, i);
        this.#readLine(bytes, i, end);
        i = end;
      }
    }
    if (this.#mayBeTheOne(bytes.length - event)) {
      if (event > from) out.push(bytes.subarray(from, event));
      if (bytes.length > event) this.#hold(bytes.subarray(event));
    } else {
      this.#passes = true;
      this.#release(out);
      if (bytes.length > from) out.push(bytes.subarray(from));
    }
    return out;
  }

  /** The stream has ended. @returns what was held back, unless it is the event, whole but for its empty line */
  end(): Buffer[] {
    const out: Buffer[] = [];
    this.#endLine();
    if (!this.#isTheOne()) this.#release(out);
    this.#drop();
    return out;
  }

  #readLine(bytes: Buffer, from: number, end: number): void {
    this.#lineIsEmpty = false;
    let at = from;
    if (this.#name !== undefined) {
      while (at < end && this.#name !== undefined && this.#name.length < NAME.length) {
        this.#name += String.fromCharCode(bytes[at] as number);
        if (!NAME.startsWith(this.#name)) this.#name = undefined;
        at += 1;
      }
      if (this.#name === NAME) {
        this.#name = undefined;
        this.#isData = true;
        this.#dataLines += 1;
      }
    }
    if (this.#isData && !this.#passes) this.#scanner.feed(bytes, at, end);
  }

  /** @returns whether the event ends with it */
  #endLine(): boolean {
    const isEmpty = this.#lineIsEmpty;
    if (this.#isData && !this.#passes) this.#scanner.feed(NEW_LINE, 0, 1);
    this.#name = "";
    this.#isData = false;
    this.#lineIsEmpty = true;
    return isEmpty;
  }

  #startEvent(): void {
    this.#passes = false;
    this.#isBetween = true;
    this.#dataLines = 0;
    this.#scanner.reset();
  }

  /** As far as it has come: no choice in it, and nothing wrong with it. */
  #mayBeTheOne(more: number): boolean {
    if (this.#passes || this.#heldBytes + more > MAX_HELD) return false;
    return !this.#scanner.found.some && this.#scanner.problem === undefined;
  }

  #isTheOne(): boolean {
    if (this.#passes || this.#dataLines === 0 || !this.#scanner.end()) return false;
    const { values } = this.#scanner.found;
    return values[CHOICES] === 0 && (values[USAGE] as number) > 0;
  }

  #hold(bytes: Buffer): void {
    this.#held.push(Buffer.from(bytes));
    this.#heldBytes += bytes.length;
  }

  #release(out: Buffer[]): void {
    for (const held of this.#held) out.push(held);
    this.#drop();
  }

  #drop(): void {
    this.#held = [];
    this.#heldBytes = 0;
  }
}

const NAME = "data:";
const NEW_LINE = Buffer.from("\n");

const endOfLine = (bytes: Buffer, from: number): number => {
  let at = from;
  while (at < bytes.length && bytes[at] !== LF && bytes[at] !== CR) at += 1;
  return at;
};
