import type { FileReader } from "./walker.ts";

const MAX_HEAD = 16 * 1024;
const MAX_PARTS = 1_000;

const CONTENT = 0;
/** Behind a delimiter: whether it was the last one. */
const DELIMITED = 1;
const HEAD = 2;
const OVER = 3;

/** The files of a multipart body (RFC 7578, RFC 2046 §5.1), each fed to a reader of its own as it comes. */
export class Multipart {
  readonly #delimiter: Buffer;
  readonly #open: () => FileReader;
  #state: number = CONTENT;
  /** The line that ends before the first delimiter. */
  #held: Buffer = Buffer.from("\r\n");
  /** Undefined between the parts, and for those that are no files. */
  #file: FileReader | undefined;
  #parts = 0;

  /** @param open makes a reader for the next file */
  constructor(boundary: string, open: () => FileReader) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
    this.#open = open;
  }

  /** Its last delimiter has come, and it had no more parts than are read. */
  get isWhole(): boolean {
    return this.#state === OVER && this.#parts <= MAX_PARTS;
  }

  feed(bytes: Buffer): void {
    const data = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    let at = 0;
    while (this.#state !== OVER) {
      const next = this.#step(data, at);
      if (next < 0) break;
      at = next;
    }
    this.#held = this.#state === OVER ? EMPTY : Buffer.from(data.subarray(at));
    if (this.#state === HEAD && this.#held.length > MAX_HEAD) this.#stop();
  }

  end(): void {
    this.#file?.end();
    this.#file = undefined;
  }

  /** It is none, or too much of one. */
  #stop(): void {
    this.#parts = MAX_PARTS + 1;
    this.#state = OVER;
    this.#held = EMPTY;
  }

  /** @returns where to go on; −1: more bytes are needed */
  #step(data: Buffer, at: number): number {
    if (this.#state === CONTENT) {
      const found = data.indexOf(this.#delimiter, at);
      // Its beginning may be the end of this piece.
      const end = found < 0 ? Math.max(at, data.length - this.#delimiter.length + 1) : found;
      if (end > at) this.#file?.feed(data.subarray(at, end));
      if (found < 0) return end > at ? end : -1;
      this.end();
      this.#state = DELIMITED;
      return found + this.#delimiter.length;
    }
    if (this.#state === DELIMITED) {
      if (data.length - at < 2) return -1;
      if (data.toString("latin1", at, at + 2) === "--") {
        this.#state = OVER;
        return at;
      }
      // Blanks may follow; the line's end stays, so that a part without fields has one, too.
      const line = data.indexOf("\r\n", at, "latin1");
      if (line < 0) {
        if (data.length - at > MAX_HEAD) this.#stop();
        return -1;
      }
      this.#state = HEAD;
      return line;
    }
    const end = data.indexOf("\r\n\r\n", at, "latin1");
    if (end < 0) return -1;
    this.#parts += 1;
    if (this.#parts > MAX_PARTS) this.#stop();
    else {
      this.#state = CONTENT;
      const isFile = /^content-disposition:.*;\s*filename\*?=/im.test(
        data.toString("latin1", at, Math.min(end, at + MAX_HEAD)),
      );
      if (isFile) this.#file = this.#open();
    }
    return end + 4;
  }
}

const EMPTY = Buffer.alloc(0);
