import type { Transform } from "node:stream";
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from "node:zlib";
import type { MeterProblem } from "@aigw/core/meters";

export type DecodingProblem = Extract<
  MeterProblem,
  "coding_unknown" | "coding_broken" | "coding_slow" | "too_large" | "busy"
>;

export interface DecodedSink {
  onDecoded(bytes: Buffer): void;
  /** Called once, at the end or as soon as there is a problem. */
  onDecoderEnd(problem: DecodingProblem | undefined): void;
}

/** Each may hold its window and what has arrived: 8 MiB at worst, some 100 KiB in practice. */
const MAX_OPEN = 128;
/** Compressed bytes that have arrived and are not decoded yet. */
const MAX_WAITING = 1024 * 1024;
/** Of one answer, and beyond it so many times what came: a bomb goes no further, a stream of hours goes on. */
const MAX_DECODED = 16 * 1024 * 1024;
const MAX_RATIO = 64;
/** From the end of the answer to the end of the decoding. */
const PATIENCE_MS = 2_000;
/** Of zstd: what RFC 9659 lets a server assume. */
const ZSTD_WINDOW_LOG = 23;

let open = 0;

/**
 * Decodes a copy of an answer's content for its meter, in zlib's own threads: the client gets what the service sent, and
 * does not wait.
 */
export class Decoder {
  readonly #sink: DecodedSink;
  readonly #coding: string;
  #stream: Transform | undefined;
  #timer: NodeJS.Timeout | undefined;
  #came = 0;
  #decoded = 0;
  #counted = false;
  #over = false;

  /** @param coding a Content-Encoding other than identity */
  constructor(coding: string, sink: DecodedSink) {
    this.#coding = coding.toLowerCase();
    this.#sink = sink;
  }

  /** @param bytes are copied */
  write(bytes: Buffer): void {
    if (this.#over || bytes.length === 0) return;
    const stream = this.#stream ?? this.#start(bytes);
    if (stream === undefined) return;
    this.#came += bytes.length;
    if (stream.writableLength + bytes.length > MAX_WAITING) this.#end("busy");
    else stream.write(Buffer.from(bytes));
  }

  /** No more comes. */
  end(): void {
    if (this.#over) return;
    if (this.#stream === undefined) {
      this.#end(undefined);
      return;
    }
    this.#stream.end();
    this.#timer = setTimeout(() => this.#end("coding_slow"), PATIENCE_MS).unref();
  }

  #start(first: Buffer): Transform | undefined {
    if (open >= MAX_OPEN) {
      this.#end("busy");
      return undefined;
    }
    const stream = decompressor(this.#coding, first);
    if (stream === undefined) {
      this.#end("coding_unknown");
      return undefined;
    }
    open += 1;
    this.#counted = true;
    this.#stream = stream;
    stream.on("data", (bytes: Buffer) => {
      if (this.#over) return;
      this.#decoded += bytes.length;
      if (this.#decoded > MAX_DECODED + MAX_RATIO * this.#came) this.#end("too_large");
      else this.#sink.onDecoded(bytes);
    });
    stream.on("end", () => this.#end(undefined));
    stream.on("error", () => this.#end("coding_broken"));
    return stream;
  }

  /** Nobody wants the rest. */
  stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    if (this.#counted) open -= 1;
    this.#counted = false;
    this.#stream?.destroy();
  }

  #end(problem: DecodingProblem | undefined): void {
    if (this.#over) return;
    this.stop();
    this.#sink.onDecoderEnd(problem);
  }
}

const decompressor = (coding: string, first: Buffer): Transform | undefined => {
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return createGunzip();
    case "deflate":
      return isZlib(first) ? createInflate() : createInflateRaw();
    case "br":
      return createBrotliDecompress();
    case "zstd":
      return createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } });
    default:
      return undefined;
  }
};

/** `deflate` is zlib's format (RFC 9110 §8.4.1.2), and some send the bare one. */
const isZlib = (bytes: Buffer): boolean => ((bytes[0] as number) & 0x0f) === 8 && ((bytes[0] as number) & 0x80) === 0;
