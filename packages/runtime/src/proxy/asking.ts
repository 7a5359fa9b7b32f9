import type { IncomingMessage } from "node:http";
import { mediaTypeOf } from "../media-type.ts";
import { MAX_ASKING } from "../meters/ask-usage.ts";
import { UsageEventFilter } from "../meters/usage-event-filter.ts";

/**
 * Whether a stream's totals can be asked for in this request: a completion or chat completion, whose content is JSON of
 * a known length, and not compressed. Other endpoints that stream refuse what they do not know.
 * @param rest what follows `/api/<service>`
 */
export const mayAsk = ({ method, headers }: IncomingMessage, rest: string): boolean => {
  const { "content-type": type = "", "content-length": length, "content-encoding": coding } = headers;
  if (method !== "POST" || length === undefined || Number(length) > MAX_ASKING) return false;
  if (headers["transfer-encoding"] !== undefined) return false;
  if (coding !== undefined && coding.trim().toLowerCase() !== "identity") return false;
  const query = rest.indexOf("?");
  if (!/\/completions\/?$/.test(query < 0 ? rest : rest.slice(0, query))) return false;
  return mediaTypeOf(type) === "application/json";
};

const EVENT_STREAM = /^text\/event-stream(?:\s*;|$)/;

/** @param fields name, value, name, value … */
export const isEventStream = (fields: readonly string[]): boolean => {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    if (name.length === 12 && name.toLowerCase() === "content-type")
      return EVENT_STREAM.test((fields[i + 1] as string).trim().toLowerCase());
  }
  return false;
};

/**
 * What takes the event with the totals out of the answer again; undefined where there is none to take out, or nothing can
 * be: no stream of events, one that is compressed although it was asked not to be, or of a length that was promised.
 * @param fields name, value, name, value …
 */
export const filterFor = (fields: readonly string[]): UsageEventFilter | undefined => {
  let isStream = false;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = (fields[i + 1] as string).trim().toLowerCase();
    switch ((fields[i] as string).toLowerCase()) {
      case "content-type":
        isStream = EVENT_STREAM.test(value);
        break;
      case "content-encoding":
        if (value !== "identity" && value !== "") return undefined;
        break;
      case "content-length":
        return undefined;
    }
  }
  return isStream ? new UsageEventFilter() : undefined;
};
