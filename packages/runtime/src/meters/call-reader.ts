import { decimalToMillionths, type MeterProblem, toMillionths } from "@aigw/core/meters";
import { type ContentKind, contentKind } from "./content-kind.ts";
import { type DecodedSink, Decoder, type DecodingProblem } from "./decoder.ts";
import { EventStream } from "./event-stream.ts";
import { JsonLines } from "./json-lines.ts";
import { JsonScanner } from "./json-scanner.ts";
import { BAD } from "./json-tokens.ts";
import type { MeterPlan, Source } from "./meter-plan.ts";
import type { Reading, ReadingSink } from "./reading.ts";
import { RequestReader } from "./request-reader.ts";
import { Totals } from "./totals.ts";

/** No answer came. */
const NO_STATUS = 0;

/**
 * Reads what one call is worth on its way past. It sees each piece once, after it was handed on, and keeps none of them;
 * it never throws for what it sees. Used again for other calls, so that a call costs no memory of its own.
 */
export class CallReader implements DecodedSink {
  readonly #plan: MeterPlan;
  readonly #rest: (reader: CallReader) => void;
  readonly #scanner: JsonScanner;
  readonly #totals: Totals;
  readonly #events: EventStream;
  readonly #lines: JsonLines;
  /** Of each response field that is read: millionths, BAD, or NaN when it was not there. */
  readonly #fields: Float64Array;
  readonly #request: RequestReader | undefined;
  #status = NO_STATUS;
  #type = "";
  #kind: ContentKind | undefined;
  #hasContent = false;
  #decoder: Decoder | undefined;
  /** The decoder has ended, and what comes is not read any more. */
  #isDeaf = false;
  #decodingProblem: DecodingProblem | undefined;
  /** Set when the call has ended and its content is being decoded. */
  #sink: ReadingSink | undefined;
  #isWhole = false;

  constructor(plan: MeterPlan, rest: (reader: CallReader) => void) {
    this.#plan = plan;
    this.#rest = rest;
    this.#scanner = new JsonScanner(plan.root, plan.numbers, plan.texts);
    this.#totals = new Totals(plan.numbers);
    this.#events = new EventStream(this.#scanner, this.#totals);
    this.#lines = new JsonLines(this.#scanner, this.#totals);
    this.#fields = new Float64Array(plan.fields.length).fill(Number.NaN);
    this.#request = plan.readsRequest ? new RequestReader(plan.sources) : undefined;
  }

  /** @param fields name, value, name, value … */
  onRequestHead(fields: readonly string[]): void {
    this.#request?.start(fields);
  }

  /** @param bytes of the request's content; they may be overwritten afterwards */
  onRequestContent(bytes: Buffer): void {
    this.#request?.feed(bytes);
  }

  /** The request's content is complete. */
  onRequestEnd(): void {
    this.#request?.end();
  }

  /** Of the final response. @param fields name, value, name, value … */
  onHead(status: number, fields: readonly string[]): void {
    this.#status = status;
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] as string;
      const value = fields[i + 1] as string;
      if (name.length === 12 && name.toLowerCase() === "content-type") this.#type = value;
      else if (name.length === 16 && name.toLowerCase() === "content-encoding") this.#setCoding(value.trim());
    }
    this.#readFields(fields);
  }

  /** @param bytes of the response's content; they may be overwritten afterwards */
  onContent(bytes: Buffer): void {
    if (!this.#plan.readsContent) return;
    this.#hasContent ||= bytes.length > 0;
    if (this.#decoder !== undefined) this.#decoder.write(bytes);
    else if (!this.#isDeaf) this.#read(bytes);
  }

  /**
   * The call is over, in whatever way. Nothing may be fed afterwards.
   * @param trailers name, value, name, value …
   * @param isWhole the service's answer came to its end
   * @param sink is told at once, or within 2 s when the content is compressed
   */
  onEnd(trailers: readonly string[], isWhole: boolean, sink: ReadingSink): void {
    this.#readFields(trailers);
    this.#isWhole = isWhole;
    this.#sink = sink;
    if (this.#decoder === undefined) this.#finish();
    else this.#decoder.end();
  }

  /** What is not decoded yet is not waited for any longer. */
  stop(): void {
    if (this.#decoder === undefined || this.#sink === undefined) return;
    this.#decoder.stop();
    this.onDecoderEnd("coding_slow");
  }

  onDecoded(bytes: Buffer): void {
    this.#read(bytes);
    // A document of which nothing more can be learnt is not decoded any further.
    if (this.#kind === "unknown" || (this.#kind === "document" && this.#scanner.problem !== undefined)) {
      this.#decoder?.stop();
      this.onDecoderEnd(undefined);
    }
  }

  onDecoderEnd(problem: DecodingProblem | undefined): void {
    this.#decoder = undefined;
    this.#isDeaf = true;
    this.#decodingProblem = problem;
    if (this.#sink !== undefined) this.#finish();
  }

  #setCoding(value: string): void {
    if (value !== "" && value.toLowerCase() !== "identity" && this.#plan.readsContent)
      this.#decoder = new Decoder(value, this);
  }

  #readFields(fields: readonly string[]): void {
    const wanted = this.#plan.fields;
    if (wanted.length === 0) return;
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const at = wanted.indexOf((fields[i] as string).toLowerCase());
      if (at >= 0) this.#fields[at] = decimalToMillionths((fields[i + 1] as string).trim()) ?? BAD;
    }
  }

  #read(bytes: Buffer): void {
    if (this.#kind === undefined) {
      const first = firstByte(bytes);
      if (first === 0) return;
      this.#kind = contentKind(this.#type, first);
    }
    if (this.#kind === "document") this.#scanner.feed(bytes, 0, bytes.length);
    else if (this.#kind === "events") this.#events.feed(bytes);
    else if (this.#kind === "lines") this.#lines.feed(bytes);
  }

  #finish(): void {
    if (this.#kind === "document") this.#totals.take(this.#scanner);
    else if (this.#kind === "events") this.#events.end();
    else if (this.#kind === "lines") this.#lines.end();
    const sink = this.#sink;
    this.#sink = undefined;
    const reading = this.#reading();
    this.#forget();
    this.#rest(this);
    sink?.onReading(reading);
  }

  #reading(): Reading {
    const units: Record<string, number> = {};
    let found = 0;
    let isEstimated = false;
    let fromRequest = false;
    let sawBad = false;
    for (const source of this.#plan.sources) {
      if (found > 0 && Object.hasOwn(units, source.unit)) continue;
      const value = this.#valueOf(source);
      if (value >= 0) {
        units[source.unit] = value;
        found += 1;
        if (source.kind === "request") {
          fromRequest = true;
          // What of it was worked off when the answer broke off, nobody says.
          isEstimated ||= !this.#isWhole;
        }
      } else if (value === BAD) sawBad = true;
    }
    if (this.#kind === "events" || this.#kind === "lines") {
      for (const source of this.#plan.sources) {
        if (source.kind !== "answer" || !source.estimated || Object.hasOwn(units, source.unit)) continue;
        const { pieces } = this.#totals;
        if (pieces === 0 && (this.#isWhole || found === 0)) continue;
        units[source.unit] = toMillionths(pieces) ?? 0;
        found += 1;
        isEstimated = true;
      }
    }
    const model = this.#model();
    if (found === 0)
      return { units, metered: "no", problem: this.#problem(sawBad), ...(model !== undefined && { model }) };
    return {
      units,
      metered: isEstimated ? "estimated" : "yes",
      from: fromRequest ? "request" : "answer",
      ...(model !== undefined && { model }),
    };
  }

  /** @returns millionths, BAD, or NaN */
  #valueOf(source: Source): number {
    if (source.kind === "answer") {
      let value = Number.NaN;
      for (const slot of source.slots) {
        const found = this.#totals.values[slot] as number;
        if (found >= 0) return toMillionths(found) ?? BAD;
        if (found === BAD) value = BAD;
      }
      return value;
    }
    if (source.kind === "field") return this.#fields[source.field] as number;
    if (this.#status === NO_STATUS || this.#status >= 400) return Number.NaN;
    return this.#request?.valueOf(source) ?? Number.NaN;
  }

  #model(): string | undefined {
    for (const slot of this.#plan.models) {
      const model = this.#scanner.found.texts[slot];
      if (model !== undefined) return model;
    }
    return undefined;
  }

  #problem(sawBad: boolean): MeterProblem {
    if (this.#status === NO_STATUS || this.#status >= 400) return "failed";
    if (sawBad) return "bad_value";
    if (this.#decodingProblem !== undefined && this.#isWhole) return this.#decodingProblem;
    if (this.#request?.isUnread === true) return "request_unread";
    if (!this.#plan.readsContent) return "not_found";
    if (!this.#hasContent) return this.#isWhole ? "no_content" : "cut";
    const { problem, documents } = this.#totals;
    if (problem === "too_large" || problem === "too_deep") return problem;
    if (!this.#isWhole) return "cut";
    if (this.#kind === "unknown") return "unknown_type";
    return problem !== undefined && documents === 0 ? problem : "not_found";
  }

  #forget(): void {
    this.#scanner.forget();
    this.#totals.reset();
    this.#events.reset();
    if (this.#fields.length > 0) this.#fields.fill(Number.NaN);
    this.#request?.reset();
    this.#status = NO_STATUS;
    this.#type = "";
    this.#kind = undefined;
    this.#hasContent = false;
    this.#decoder = undefined;
    this.#isDeaf = false;
    this.#decodingProblem = undefined;
    this.#isWhole = false;
  }
}

const firstByte = (bytes: Buffer): number => {
  for (const byte of bytes) if (byte > 0x20) return byte;
  return 0;
};
