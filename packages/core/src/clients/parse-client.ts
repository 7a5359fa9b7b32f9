import { LAST_INSTANT, parseInstant, rfc3339 } from "../date-time.ts";
import { DAY_MS } from "../durations.ts";
import { AigwError } from "../errors.ts";
import { parseServiceName } from "../services/parse-service.ts";

const invalid = (what: string, value: string, allowed: string): AigwError =>
  new AigwError("invalid_value", `${what} '${value}' is not valid: ${allowed}.`);

/** 1 to 64 of `a-z 0-9 . _ -`, starting with a letter or digit: safe in a header, a URL, a form body and a file name. */
export const parseClientName = (value: string): string => {
  if (isClientName(value)) return value;
  throw invalid("client name", value, "use 1 to 64 of a-z, 0-9, '.', '_', '-', starting with a letter or digit");
};

/** Whether a client can be called so, and any service. */
export const isClientName = (value: string): boolean => /^[a-z0-9][a-z0-9._-]{0,63}$/.test(value);

/** An address a mail program can send to; at most 254 characters (RFC 5321 §4.5.3.1.3), no line breaks. */
export const parseEmail = (value: string): string => {
  if (value.length <= 254 && /^[^\s@<>()[\],;:\\"]+@[^\s@<>()[\],;:\\".]+(\.[^\s@<>()[\],;:\\".]+)*$/.test(value)) {
    return value;
  }
  throw invalid("e-mail address", value, "use the form name@example.com");
};

/** Free text on one line, 1 to `max` characters: it ends up in mail headers and tables. */
export const parseLine = (what: string, value: string, max: number): string => {
  const trimmed = value.trim();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (trimmed !== "" && trimmed.length <= max && !/[\u0000-\u001f\u007f\u2028\u2029]/.test(trimmed)) return trimmed;
  throw invalid(what, value, `use 1 to ${max} characters on one line`);
};

/** A whole number of requests per rolling 60 s, 1 to 10,000,000. */
export const parseLimit = (value: string): number => {
  const limit = Number(value);
  if (/^[0-9]{1,8}$/.test(value) && limit >= 1 && limit <= 10_000_000) return limit;
  throw invalid("limit", value, "use a whole number of requests per minute from 1 to 10000000");
};

/**
 * `2027-01-31` (the client works to the end of that day, UTC), an RFC 3339 date-time with offset, or `30d` from now.
 * @returns milliseconds since the epoch, later than `now`
 */
export const parseExpiry = (value: string, now: number): number => {
  const at = expiryInstant(value, now);
  if (at <= now) throw invalid("expiry", value, "it lies in the past; to stop a client now, revoke it");
  return at;
};

/** In a form that {@link parseExpiry} takes for the same moment: the last day, where it is the end of one. */
export const expiryDay = (expiresAt: number): string =>
  expiresAt % DAY_MS === 0 || expiresAt === LAST_INSTANT ? rfc3339(expiresAt - 1).slice(0, 10) : rfc3339(expiresAt);

/** As it was given: the last day, where it is the end of one, else `2027-01-31 18:00 UTC`. */
export const expiryInWords = (expiresAt: number): string => {
  if (expiresAt % DAY_MS === 0) return rfc3339(expiresAt - DAY_MS).slice(0, 10);
  const [day = "", time = ""] = rfc3339(expiresAt).split("T");
  return expiresAt === LAST_INSTANT ? day : `${day} ${time.replace(/(:00)?\.\d+Z$/, "")} UTC`;
};

/** Whether {@link parseExpiry} takes it from now on, so that it is another moment each time. */
export const isRelativeExpiry = (value: string): boolean => RELATIVE.test(value);

const RELATIVE = /^([1-9][0-9]{0,4})d$/;
const EXPIRY_FORMS = "use a day such as 2027-01-31, a date-time such as 2027-01-31T18:00:00Z, or 30d";

const expiryInstant = (value: string, now: number): number => {
  const days = RELATIVE.exec(value);
  if (days) return now + Number(days[1]) * DAY_MS;
  const { at, wholeDay } = parseInstant("expiry", value, EXPIRY_FORMS);
  // The end of the last day of all would have a year of five digits.
  return wholeDay ? Math.min(at + DAY_MS, LAST_INSTANT) : at;
};

/** `ocr,chat` → sorted unique names; `all` → undefined, meaning every service. */
export const parseServiceList = (value: string): readonly string[] | undefined => {
  if (value.trim() === "all") return undefined;
  const names = value.split(",").map((name) => parseServiceName(name.trim()));
  return [...new Set(names)].sort();
};
