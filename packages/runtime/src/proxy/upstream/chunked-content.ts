import type { Fault } from "@aigw/core/services";
import { parseFields, STRAY } from "./response-head.ts";

/** Takes what the chunks hold. @returns false when nothing more is wanted */
export interface ChunkSink {
  onChunkData(bytes: Buffer): boolean;
}

const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILERS = 6;
const DONE = 7;

const CR = 0x0d;
const LF = 0x0a;
const INVALID = -1;
/** 2^52 bytes: below it every size is exact. */
const MAX_SIZE_DIGITS = 13;
/** Extensions say nothing that anybody here would understand, and may not go on for ever. */
const MAX_EXTENSION = 1_024;
/**
 * Blanks around everything, as RFC 9112 §7.1.1 has them; also behind a size alone, where some servers pad it to a fixed
 * width. A line feed among them would end the line to some readers and not to others.
 */
const EXTENSIONS =
  /^(?:[\t ]*;[\t ]*[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[\t ]*=[\t ]*(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*[\t ]*$/;
/** To some readers it would say where the content had ended. */
const FRAMING = /^(?:content-length|transfer-encoding):/im;
const MAX_TRAILERS = 16 * 1024;

/** One content in `chunked` coding (RFC 9112 §7.1). */
export class ChunkedContent {
  /** Name, value, name, value …; undefined until the content is complete. */
  trailers: readonly string[] | undefined;
  #state: number = SIZE;
  #size = 0;
  #digits = 0;
  #extension = "";
  #trailer = "";

  /** What was wrong when {@link read} said −1. */
  get fault(): Fault {
    return this.#trailer === "" ? "bad_chunk" : "bad_trailer";
  }

  /** @returns where the content ends or the bytes do, or −1 when they are not valid */
  read(bytes: Buffer, start: number, sink: ChunkSink): number {
    let at = start;
    while (at < bytes.length && this.#state !== DONE) {
      if (this.#state === DATA) {
        const end = Math.min(bytes.length, at + this.#size);
        this.#size -= end - at;
        if (this.#size === 0) this.#state = DATA_CR;
        if (!sink.onChunkData(bytes.subarray(at, end))) return bytes.length;
        at = end;
      } else {
        if (!this.#take(bytes[at] ?? 0)) return INVALID;
        at += 1;
      }
    }
    return at;
  }

  /** One byte that is not content. */
  #take(byte: number): boolean {
    switch (this.#state) {
      case SIZE:
        return this.#takeSize(byte);
      case EXTENSION:
        return this.#takeExtension(byte);
      case SIZE_LF:
        this.#state = this.#size === 0 ? TRAILERS : DATA;
        return byte === LF;
      case DATA_CR:
        this.#state = DATA_LF;
        return byte === CR;
      case DATA_LF:
        this.#state = SIZE;
        this.#digits = 0;
        this.#extension = "";
        return byte === LF;
      default:
        return this.#takeTrailer(byte);
    }
  }

  #takeSize(byte: number): boolean {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit;
      this.#digits += 1;
      return this.#digits <= MAX_SIZE_DIGITS;
    }
    if (byte === CR) this.#state = SIZE_LF;
    else if (byte === 0x3b || byte === 0x20 || byte === 0x09) {
      this.#extension = String.fromCharCode(byte);
      this.#state = EXTENSION;
    } else return false;
    return this.#digits > 0;
  }

  #takeExtension(byte: number): boolean {
    if (byte !== CR) {
      this.#extension += String.fromCharCode(byte);
      return this.#extension.length <= MAX_EXTENSION;
    }
    this.#state = SIZE_LF;
    return EXTENSIONS.test(this.#extension);
  }

  #takeTrailer(byte: number): boolean {
    this.#trailer += String.fromCharCode(byte);
    if (byte !== LF) return this.#trailer.length <= MAX_TRAILERS;
    if (this.#trailer !== "\r\n" && !this.#trailer.endsWith("\r\n\r\n")) return this.#trailer.endsWith("\r\n");
    const text = this.#trailer.slice(0, -2);
    this.trailers = STRAY.test(text) || FRAMING.test(text) ? undefined : parseFields(text, 0);
    this.#state = DONE;
    return this.trailers !== undefined;
  }
}

const hexDigit = (byte: number): number => {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
};
