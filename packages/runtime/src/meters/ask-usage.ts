import { BACKSLASH, isBlank, QUOTE } from "./json-bytes.ts";
import { JsonPaths } from "./json-paths.ts";
import { JsonScanner } from "./json-scanner.ts";

/** A larger request is left as it is. */
export const MAX_ASKING: number = 1024 * 1024;

const NOTHING = new JsonPaths().compile();
const INCLUDE = '"include_usage":true';

/**
 * Asks for the totals of a stream on behalf of a client that did not: sets `stream_options.include_usage` in the body of a
 * chat completion or completion. Every other byte stays as it is.
 * @param body of a JSON request, whole
 * @returns the body to send in its place; null when there is nothing to set: no stream is asked for, its totals are, or
 *   it is larger than {@link MAX_ASKING}, no JSON object, or says one of these things twice, so that who reads it decides
 */
export const askUsage = (body: Buffer): Buffer | null => {
  if (body.length > MAX_ASKING) return null;
  const scanner = new JsonScanner(NOTHING, 0, 0);
  scanner.feed(body, 0, body.length);
  if (!scanner.end()) return null;
  const outer = membersOf(body, 0);
  if (outer === undefined || outer.valueOf("stream") !== "true") return null;
  const options = outer.placeOf("stream_options");
  if (options === "twice") return null;
  if (options === undefined) return inserted(body, outer, `"stream_options":{${INCLUDE}}`);
  if (body.toString("latin1", options.start, options.end) === "null") return replaced(body, options, `{${INCLUDE}}`);
  const inner = membersOf(body, options.start);
  if (inner === undefined) return null;
  const include = inner.placeOf("include_usage");
  if (include === undefined) return inserted(body, inner, INCLUDE);
  if (include === "twice") return null;
  const value = body.toString("latin1", include.start, include.end);
  return value === "false" || value === "null" ? replaced(body, include, "true") : null;
};

interface Place {
  readonly start: number;
  readonly end: number;
}

/** The members of one object, which is valid JSON. */
interface Members {
  /** Behind the last member, or behind the opening brace. */
  readonly end: number;
  readonly isEmpty: boolean;
  placeOf(key: string): Place | "twice" | undefined;
  /** As it is written; undefined unless there is exactly one. */
  valueOf(key: string): string | undefined;
}

/** @returns undefined when there is no object */
const membersOf = (body: Buffer, from: number): Members | undefined => {
  let at = pastBlanks(body, from);
  if (body[at] !== 0x7b) return undefined;
  const places: [string, Place][] = [];
  let end = at + 1;
  for (at = pastBlanks(body, at + 1); body[at] === QUOTE; ) {
    const colon = pastString(body, at);
    const key = JSON.parse(body.toString("utf8", at, colon)) as string;
    const start = pastBlanks(body, pastBlanks(body, colon) + 1);
    end = pastValue(body, start);
    places.push([key, { start, end }]);
    // The comma, or the end.
    at = pastBlanks(body, pastBlanks(body, end) + 1);
  }
  const placeOf = (key: string): Place | "twice" | undefined => {
    const found = places.filter(([name]) => name === key);
    return found.length > 1 ? "twice" : found[0]?.[1];
  };
  return {
    end,
    isEmpty: places.length === 0,
    placeOf,
    valueOf: (key) => {
      const place = placeOf(key);
      return place === undefined || place === "twice" ? undefined : body.toString("latin1", place.start, place.end);
    },
  };
};

const pastBlanks = (body: Buffer, from: number): number => {
  let at = from;
  while (at < body.length && isBlank(body[at] as number)) at += 1;
  return at;
};

/** @param from at its opening quote */
const pastString = (body: Buffer, from: number): number => {
  let at = from + 1;
  while (body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
  return at + 1;
};

const pastValue = (body: Buffer, from: number): number => {
  if (body[from] === QUOTE) return pastString(body, from);
  let at = from;
  for (let depth = 0; at < body.length; ) {
    const byte = body[at] as number;
    if (byte === QUOTE) {
      at = pastString(body, at);
      continue;
    }
    const opens = byte === 0x7b || byte === 0x5b;
    const closes = byte === 0x7d || byte === 0x5d;
    // The end of a number or a word.
    if (depth === 0 && !opens && (closes || byte === 0x2c || isBlank(byte))) return at;
    if (opens) depth += 1;
    else if (closes) depth -= 1;
    at += 1;
    if (depth === 0 && closes) return at;
  }
  return at;
};

const inserted = (body: Buffer, { end, isEmpty }: Members, member: string): Buffer =>
  replaced(body, { start: end, end }, isEmpty ? member : `,${member}`);

const replaced = (body: Buffer, { start, end }: Place, text: string): Buffer =>
  Buffer.concat([body.subarray(0, start), Buffer.from(text), body.subarray(end)]);
