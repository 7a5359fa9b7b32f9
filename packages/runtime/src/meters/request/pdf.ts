import { inflateSync } from "node:zlib";
import type { FileReader } from "./walker.ts";

/** An object outside of streams; a longer one is not looked at. */
const MAX_OBJECT = 64 * 1024;
/** A compressed stream of objects; what is larger is not looked at. */
const MAX_STREAM = 64 * 1024;
const MAX_INFLATED = 512 * 1024;
/** Of one file: some 10 ms of the event loop's time, spread over its pieces. */
const MAX_INFLATED_ALL = 4 * 1024 * 1024;
/** Pages that are told apart by their number when nothing states how many there are. */
const MAX_PAGES = 100_000;
/** The keywords that end what is looked at; half of one may be in the next piece. */
const OVERLAP = 16;

/**
 * The number of pages of a PDF, in one pass: what a linearized file says at its beginning, else the `Count` of the last root
 * of a page tree, else the pages themselves. Objects in compressed streams are found; those of an encrypted file are not,
 * nor anything that another filter than Flate hides.
 */
export class Pdf implements FileReader {
  /** Since the end of the last stream or object, as Latin-1. */
  #text = "";
  #total = 0;
  /** Bytes of a stream to pass over; −1: up to `endstream`. */
  #skip = 0;
  #stream: Buffer[] | undefined;
  #streamBytes = 0;
  #inflated = 0;
  #isMissing = false;
  #linearized: { readonly pages: number; readonly length: number } | undefined;
  #count: number | undefined;
  readonly #pages = new Set<string>();

  get pages(): number | undefined {
    // It was appended to since, when it is longer.
    if (this.#linearized !== undefined && this.#linearized.length === this.#total) return this.#linearized.pages;
    if (this.#count !== undefined) return this.#count;
    return this.#pages.size > 0 && !this.#isMissing ? this.#pages.size : undefined;
  }

  feed(bytes: Buffer): void {
    this.#total += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      if (this.#skip > 0) {
        const taken = Math.min(this.#skip, bytes.length - at);
        this.#keep(bytes.subarray(at, at + taken));
        this.#skip -= taken;
        at += taken;
        if (this.#skip === 0) this.#endStream();
      } else {
        this.#text += bytes.toString("latin1", at);
        at = bytes.length;
        const left = this.#read();
        // What a stream's length passes over is in this piece.
        if (left > 0) at -= left;
      }
    }
  }

  end(): void {
    this.#objects(this.#text);
    this.#text = "";
  }

  /** @returns how many bytes at the end of the text are content of a stream whose length is known */
  #read(): number {
    for (;;) {
      if (this.#skip < 0) {
        const end = this.#text.indexOf("endstream");
        if (end < 0) {
          const kept = Math.max(0, this.#text.length - OVERLAP);
          this.#keepText(kept);
          this.#text = this.#text.slice(kept);
          return 0;
        }
        this.#keepText(end);
        this.#text = this.#text.slice(end);
        this.#endStream();
      }
      const stream = STREAM.exec(this.#text);
      if (stream === null) {
        this.#trim();
        return 0;
      }
      const before = this.#text.slice(0, stream.index);
      const rest = this.#text.length - stream.index - stream[0].length;
      this.#objects(before);
      this.#text = this.#text.slice(stream.index + stream[0].length);
      if (this.#beginStream(before.slice(Math.max(0, before.lastIndexOf(" obj"))))) {
        this.#text = "";
        return rest;
      }
    }
  }

  /** Objects that are complete are read, and not kept. */
  #trim(): void {
    const end = this.#text.lastIndexOf("endobj");
    if (end > 0) {
      this.#objects(this.#text.slice(0, end));
      this.#text = this.#text.slice(end);
    }
    if (this.#text.length > MAX_OBJECT) {
      this.#isMissing = true;
      // Its number, and what it is, stand at its beginning.
      this.#objects(this.#text);
      this.#text = this.#text.slice(-OVERLAP);
    }
  }

  /** @param dictionary of the stream. @returns whether its length is known */
  #beginStream(dictionary: string): boolean {
    if (/\/Type\s*\/ObjStm/.test(dictionary)) {
      this.#stream = [];
      this.#streamBytes = 0;
    }
    const length = /\/Length\s+(\d{1,10})(?!\s+\d+\s+R)(?=[\s/>])/.exec(dictionary)?.[1];
    this.#skip = length === undefined || length === "0" ? -1 : Number(length);
    return this.#skip > 0;
  }

  #keep(bytes: Buffer): void {
    if (this.#stream === undefined) return;
    this.#streamBytes += bytes.length;
    if (this.#streamBytes > MAX_STREAM) {
      this.#stream = undefined;
      this.#isMissing = true;
    } else this.#stream.push(Buffer.from(bytes));
  }

  #keepText(length: number): void {
    if (this.#stream !== undefined) this.#keep(Buffer.from(this.#text.slice(0, length), "latin1"));
  }

  #endStream(): void {
    this.#skip = 0;
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream === undefined) return;
    if (this.#inflated >= MAX_INFLATED_ALL) {
      this.#isMissing = true;
      return;
    }
    try {
      const inflated = inflateSync(Buffer.concat(stream), { maxOutputLength: MAX_INFLATED });
      this.#inflated += inflated.length;
      this.#compressed(inflated.toString("latin1"));
    } catch {
      this.#inflated += MAX_INFLATED;
      this.#isMissing = true;
    }
  }

  /** Objects one behind the other, with their numbers and places before them. */
  #compressed(text: string): void {
    const first = text.search(/[^\d\s]/);
    const numbers = text.slice(0, Math.max(0, first)).trim().split(/\s+/);
    if (first < 0 || numbers.length % 2 !== 0) return;
    for (let i = 0; i < numbers.length; i += 2) {
      const from = first + Number(numbers[i + 1]);
      const to = i + 3 < numbers.length ? first + Number(numbers[i + 3]) : text.length;
      if (from < to) this.#object(numbers[i] as string, text.slice(from, to));
    }
  }

  #objects(text: string): void {
    const heads = [...text.matchAll(/(\d{1,10})\s+\d{1,5}\s+obj\b/g)];
    for (const [i, head] of heads.entries())
      this.#object(head[1] as string, text.slice(head.index + head[0].length, heads[i + 1]?.index ?? text.length));
  }

  #object(number: string, text: string): void {
    const type = /\/Type\s*\/(Pages|Page)(?![A-Za-z])/.exec(text)?.[1];
    if (type === "Page") {
      if (this.#pages.size < MAX_PAGES) this.#pages.add(number);
    } else if (type === "Pages") {
      const count = /\/Count\s+(\d{1,9})(?![\d.])/.exec(text)?.[1];
      if (count !== undefined && !/\/Parent\s+\d/.test(text)) this.#count = Number(count);
    } else if (this.#linearized === undefined && /\/Linearized\s/.test(text)) {
      const pages = /\/N\s+(\d{1,9})/.exec(text)?.[1];
      const length = /\/L\s+(\d{1,15})/.exec(text)?.[1];
      if (pages !== undefined) this.#linearized = { pages: Number(pages), length: Number(length) };
    }
  }
}

/** The keyword and its line's end (ISO 32000-1 §7.3.8.1); not that of `endstream`. */
const STREAM = /(?<!end)stream(?:\r\n|\n)/;
