import { Findings } from "./findings.ts";
import { BACKSLASH, COMMA, ENDS_PLAIN, isBlank, isEscape, isHex, QUOTE } from "./json-bytes.ts";
import { MINUS, nextPart, WHOLE, WHOLE_ZERO } from "./json-number.ts";
import { childAt, indexOfKey, type PathNode } from "./json-paths.ts";
import { BAD, numberOf, textOf } from "./json-tokens.ts";

export type ScanProblem = "not_json" | "too_large" | "too_deep";

const MAX_DEPTH = 256;
/** Levels that there is room for at first: thousands of streams may be open, and hardly any goes deeper. */
const USUAL_DEPTH = 16;
/** Bytes of a document that are looked at one by one … */
const MAX_LOOKED_AT = 1024 * 1024;
/** … and with the inside of long strings, which is passed over: a picture in Base64 costs next to nothing. */
const MAX_BYTES = 16 * 1024 * 1024;
/** From here on a string is long: its end is searched for, and what is in it not looked at. */
const LONG = 128;
/** The longest key that is compared when it comes in parts or with escapes; what no path has is shorter. */
const MAX_HELD = 2_048;

const VALUE = 0;
/** A value, or the end of the array. */
const ELEMENT = 1;
const KEY = 2;
/** A key, or the end of the object. */
const MEMBER = 3;
const COLON = 4;
const AFTER = 5;
const STRING = 6;
const ESCAPE = 7;
const HEX = 8;
const NUMBER = 9;
const LITERAL = 10;
const DONE = 11;
const FAILED = 12;

const OBJECT = 1;
const ARRAY = 2;

const LITERALS = ["true", "false", "null"].map((word) => Buffer.from(word));
const NULL = 2;

/**
 * Finds values in JSON documents that come in pieces, cut anywhere, and keeps nothing of them but what it was asked for.
 * It takes for a document what `JSON.parse` does, but for three things: bytes that are no UTF-8 are not looked at, nor is
 * the inside of long strings, and there are bounds. One scanner reads one document at a time, and any number of them.
 */
export class JsonScanner {
  readonly found: Findings;
  problem: ScanProblem | undefined;
  readonly #root: PathNode;
  /** Of each level from 1 on: what it is, its elements so far, and what is wanted in it. */
  #kinds = new Uint8Array(USUAL_DEPTH + 1);
  #elements = new Int32Array(USUAL_DEPTH + 1);
  readonly #nodes: (PathNode | undefined)[] = [undefined];
  #state: number = VALUE;
  #depth = 0;
  /** Of the value that is being read or comes next. */
  #node: PathNode | undefined;
  #isKey = false;
  #escaped = false;
  /** The token that is being read is wanted; its part from earlier pieces, as Latin-1. */
  #wanted = false;
  #held = "";
  #part: number = MINUS;
  #literal = 0;
  /** Of a literal or an escape. */
  #at = 0;
  #lookedAt = 0;
  #bytes = 0;

  constructor(root: PathNode, numbers: number, texts: number) {
    this.#root = root;
    this.found = new Findings(numbers, texts);
    this.#node = root;
  }

  /** For another document. */
  reset(): void {
    this.#state = VALUE;
    this.#depth = 0;
    this.#node = this.#root;
    this.#endToken();
    this.#lookedAt = 0;
    this.#bytes = 0;
    this.problem = undefined;
    this.found.reset();
  }

  /** For another call: also the texts. */
  forget(): void {
    this.reset();
    this.found.forget();
  }

  /** Nothing but white space has come. */
  get isEmpty(): boolean {
    return this.#state === VALUE && this.#depth === 0;
  }

  /** The document has ended. @returns whether it is one */
  end(): boolean {
    if (this.#state === NUMBER && this.#depth === 0 && this.#part >= WHOLE_ZERO)
      this.#state = this.#endNumber(undefined, 0, 0);
    if (this.#state === DONE) return true;
    this.#fail("not_json");
    return false;
  }

  /** @param bytes from `from` to before `to` are the next ones; they are not kept */
  feed(bytes: Buffer, from: number, to: number): void {
    if (this.#state === FAILED) return;
    this.#bytes += to - from;
    this.#lookedAt += to - from;
    if (!this.#read(bytes, from, to)) this.#fail("not_json");
    else if (this.#lookedAt > MAX_LOOKED_AT || this.#bytes > MAX_BYTES) this.#fail("too_large");
  }

  /** @returns false when they are not what may come now */
  #read(bytes: Buffer, from: number, to: number): boolean {
    let state = this.#state;
    // Where what is wanted of a token begins in this piece.
    let start = from;
    for (let i = from; i < to; ) {
      const byte = bytes[i] as number;
      switch (state) {
        case STRING: {
          let n = plainEnd(bytes, i, to);
          if (n === i + LONG && n < to) n = this.#passOver(bytes, n, to);
          i = n + 1;
          if (n >= to) {
            // Cut within the escape that the long way has seen.
            if (n > to) state = ESCAPE;
          } else if (bytes[n] === QUOTE) {
            state = this.#isKey ? this.#endKey(bytes, start, n) : this.#endText(bytes, start, n);
            this.#endToken();
          } else if (bytes[n] !== BACKSLASH) return false;
          else {
            this.#escaped = true;
            if (i < to && isEscape(bytes[i] as number)) i += 1;
            else state = ESCAPE;
          }
          break;
        }
        case AFTER:
          i += 1;
          if (byte === COMMA) state = this.#kinds[this.#depth] === OBJECT ? KEY : this.#nextElement();
          else if (byte === 0x7d && this.#kinds[this.#depth] === OBJECT) state = this.#close();
          else if (byte === 0x5d && this.#kinds[this.#depth] === ARRAY) state = this.#close();
          else if (!isBlank(byte)) return false;
          break;
        case KEY:
        case MEMBER:
          i += 1;
          if (byte === QUOTE) {
            start = i;
            i = plainEnd(bytes, i, to);
            if (i + 1 < to && bytes[i] === QUOTE && bytes[i + 1] === 0x3a) {
              // The whole key at once, as nearly always.
              const parent = this.#nodes[this.#depth];
              this.#node = parent === undefined ? undefined : this.#member(parent, bytes, start, i);
              i += 2;
              state = VALUE;
            } else state = this.#startKey();
          } else if (byte === 0x7d && state === MEMBER) state = this.#close();
          else if (!isBlank(byte)) return false;
          break;
        case COLON:
          i += 1;
          if (byte === 0x3a) state = VALUE;
          else if (!isBlank(byte)) return false;
          break;
        case VALUE:
        case ELEMENT:
          if (byte === 0x5d && state === ELEMENT) state = this.#close();
          else if (!isBlank(byte)) {
            if (state === ELEMENT) this.#nextElement();
            if (byte === QUOTE) {
              start = i + 1;
              i = plainEnd(bytes, start, to);
              if (i < to && bytes[i] === QUOTE) state = this.#endText(bytes, start, i);
              else {
                state = this.#startText();
                i -= 1;
              }
            } else {
              state = this.#startValue(byte);
              if (state === FAILED) return false;
              // The first byte of a number is a part of it.
              start = i;
            }
          }
          i += 1;
          break;
        case NUMBER: {
          let part = this.#part;
          for (let next = part; i < to; i += 1) {
            next = nextPart(part, bytes[i] as number);
            if (next < 0) break;
            part = next;
          }
          this.#part = part;
          if (i === to) break;
          if (part < WHOLE_ZERO) return false;
          state = this.#endNumber(bytes, start, i);
          break;
        }
        case LITERAL: {
          const word = LITERALS[this.#literal] as Buffer;
          let at = this.#at;
          for (; at < word.length && i < to; i += 1, at += 1) if (bytes[i] !== word[at]) return false;
          this.#at = at;
          if (at === word.length) state = this.#endLiteral();
          break;
        }
        case ESCAPE:
          i += 1;
          if (byte === 0x75) {
            state = HEX;
            this.#at = 0;
          } else if (isEscape(byte)) state = STRING;
          else return false;
          break;
        case HEX:
          i += 1;
          if (!isHex(byte)) return false;
          this.#at += 1;
          if (this.#at === 4) state = STRING;
          break;
        default:
          // DONE: nothing but blanks may follow.
          i += 1;
          if (!isBlank(byte)) return false;
      }
    }
    this.#state = state;
    if (this.#wanted) this.#hold(bytes, start, to);
    return true;
  }

  #fail(problem: ScanProblem): void {
    this.problem ??= problem;
    this.#state = FAILED;
  }

  /** @returns the end of a long string, or of the piece; one more when the piece ends within an escape */
  #passOver(bytes: Buffer, at: number, to: number): number {
    const quote = (to === bytes.length ? bytes : bytes.subarray(0, to)).indexOf(QUOTE, at);
    const end = quote < 0 ? to : quote;
    let backslashes = 0;
    while (end - backslashes > at && bytes[end - backslashes - 1] === BACKSLASH) backslashes += 1;
    this.#lookedAt -= end - backslashes - at;
    // There may be more of them before; a text is decoded only where one was seen.
    this.#escaped = true;
    if (backslashes % 2 === 0) return end;
    // The last of them escapes the quote: it is looked at again as the beginning of an escape.
    return end < to ? end - 1 : to + 1;
  }

  #startToken(wanted: boolean): void {
    this.#wanted = wanted;
    this.#escaped = false;
  }

  /** The token goes on in the next piece. */
  #hold(bytes: Buffer, start: number, to: number): void {
    if (this.#held.length <= MAX_HELD)
      this.#held += bytes.toString("latin1", start, Math.min(to, start + MAX_HELD + 1));
  }

  #nextElement(): number {
    const parent = this.#nodes[this.#depth];
    const index = this.#elements[this.#depth] as number;
    this.#elements[this.#depth] = index + 1;
    this.#node = parent === undefined ? undefined : childAt(parent, index);
    if (this.#node !== undefined) this.found.void(this.#node);
    return VALUE;
  }

  #startKey(): number {
    this.#isKey = true;
    this.#startToken(this.#nodes[this.#depth] !== undefined);
    return STRING;
  }

  #startText(): number {
    this.#isKey = false;
    this.#startToken(this.#node !== undefined);
    return STRING;
  }

  /** @returns the state behind its first byte */
  #startValue(byte: number): number {
    const node = this.#node;
    switch (byte) {
      case 0x7b:
      case 0x5b:
        if (this.#depth === MAX_DEPTH) {
          this.problem = "too_deep";
          return FAILED;
        }
        this.#depth += 1;
        if (this.#depth === this.#kinds.length) this.#makeRoom();
        this.#kinds[this.#depth] = byte === 0x7b ? OBJECT : ARRAY;
        this.#elements[this.#depth] = 0;
        this.#nodes[this.#depth] = node;
        // Who holds a stream back until then waits no longer than it must.
        if (byte === 0x7b && node?.some === true) this.found.some = true;
        return byte === 0x7b ? MEMBER : ELEMENT;
      case 0x74:
      case 0x66:
      case 0x6e:
        this.#literal = byte === 0x74 ? 0 : byte === 0x66 ? 1 : NULL;
        this.#at = 1;
        return LITERAL;
      default: {
        const part = byte === 0x2d ? MINUS : byte === 0x30 ? WHOLE_ZERO : byte > 0x30 && byte <= 0x39 ? WHOLE : -1;
        if (part < 0) return FAILED;
        this.#part = part;
        this.#startToken(node !== undefined);
        return NUMBER;
      }
    }
  }

  #makeRoom(): void {
    const kinds = new Uint8Array(MAX_DEPTH + 1);
    const elements = new Int32Array(MAX_DEPTH + 1);
    kinds.set(this.#kinds);
    elements.set(this.#elements);
    this.#kinds = kinds;
    this.#elements = elements;
  }

  get #behindValue(): number {
    return this.#depth === 0 ? DONE : AFTER;
  }

  #close(): number {
    const depth = this.#depth;
    const node = this.#nodes[depth];
    this.#depth = depth - 1;
    if (node === undefined) return this.#behindValue;
    if (this.#kinds[depth] === OBJECT) this.found.add(node, BAD, 1);
    else {
      const length = this.#elements[depth] as number;
      this.found.add(node, length, length);
    }
    return this.#behindValue;
  }

  #endLiteral(): number {
    if (this.#node !== undefined && this.#literal !== NULL) this.found.add(this.#node, BAD, 1);
    return this.#behindValue;
  }

  /** Its parts are not in the way of the next one, which may come at once. */
  #endToken(): void {
    this.#wanted = false;
    this.#escaped = false;
    this.#held = "";
  }

  #endKey(bytes: Buffer, start: number, end: number): number {
    const parent = this.#nodes[this.#depth];
    this.#node = parent === undefined ? undefined : this.#member(parent, bytes, start, end);
    return COLON;
  }

  #endText(bytes: Buffer, start: number, end: number): number {
    const node = this.#node;
    if (node === undefined) return this.#behindValue;
    const isEmpty = this.#held === "" && start === end;
    this.found.add(node, BAD, isEmpty ? 0 : 1);
    if (!isEmpty && this.found.wantsText(node))
      this.found.addText(node, textOf(this.#held, this.#escaped, bytes, start, Math.min(end, start + MAX_HELD)));
    return this.#behindValue;
  }

  #member(parent: PathNode, bytes: Buffer, start: number, end: number): PathNode | undefined {
    const { keys, lengths, names, children } = parent;
    let at = -1;
    if (this.#held === "" && !this.#escaped) {
      const length = end - start;
      if (length > 31 || (lengths & (1 << length)) !== 0) at = indexOfKey(keys, bytes, start, end);
    } else if (this.#held.length <= MAX_HELD && end - start <= MAX_HELD)
      at = names.indexOf(textOf(this.#held, this.#escaped, bytes, start, end));
    const child = at < 0 ? parent.any : children[at];
    if (child !== undefined) this.found.void(child);
    return child;
  }

  #endNumber(bytes: Buffer | undefined, start: number, end: number): number {
    const node = this.#node;
    if (node !== undefined)
      this.found.add(node, node.number < 0 ? BAD : numberOf(this.#held, this.#part <= WHOLE, bytes, start, end), 1);
    this.#endToken();
    return this.#behindValue;
  }
}

/** @returns where the plain part of a string ends, at most {@link LONG} bytes on */
const plainEnd = (bytes: Buffer, from: number, to: number): number => {
  const near = Math.min(to, from + LONG);
  let n = from;
  while (n < near && ENDS_PLAIN[bytes[n] as number] === 0) n += 1;
  return n;
};
