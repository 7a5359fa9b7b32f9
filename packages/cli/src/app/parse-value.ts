import { parseInstant } from "@aigw/core/date-time";
import { AigwError } from "@aigw/core/errors";

const DAY_MS = 86_400_000;

const invalid = (what: string, value: string, allowed: string): AigwError =>
  new AigwError("invalid_value", `${what} '${value}' is not valid: ${allowed}.`);

/** @returns a whole number from `min` to `max` */
export const parseCount = (what: string, value: string, min: number, max: number): number => {
  const count = Number(value);
  if (/^[0-9]{1,9}$/.test(value) && count >= min && count <= max) return count;
  throw invalid(what, value, `use a whole number from ${min} to ${max}`);
};

export const parsePort = (value: string): number => parseCount("port", value, 0, 65_535);

/** `404`, `4xx` or `400-499`; `0` are requests whose client was gone before it was answered. */
export const parseStatusRange = (value: string): { readonly from: number; readonly to: number } => {
  const kind = /^([1-5])xx$/i.exec(value);
  if (kind) return { from: Number(kind[1]) * 100, to: Number(kind[1]) * 100 + 99 };
  const range = /^(0|[1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(value);
  if (range) {
    const from = Number(range[1]);
    const to = range[2] === undefined ? from : Number(range[2]);
    if (from <= to) return { from, to };
  }
  throw invalid("status", value, "use one such as 404, a kind such as 4xx, or a range such as 400-499");
};

/** `30d`, `12h`, `45m`. @returns milliseconds */
export const parseAge = (value: string): number => {
  const age = ageOf(value);
  if (age !== undefined) return age;
  throw invalid("age", value, "use one such as 30d, 12h or 45m");
};

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS };

const ageOf = (value: string): number | undefined => {
  const [, count, unit = ""] = /^([1-9]\d{0,8})(ms|s|m|h|d)$/.exec(value) ?? [];
  const age = Number(count) * (UNITS[unit] ?? Number.NaN);
  return age <= 9_999 * DAY_MS ? age : undefined;
};

/** `30m`, `1h`, `7d` before now, a day (its first moment in UTC), or a date-time. @returns milliseconds since the epoch */
export const parseSince = (value: string, now: number): number => {
  const age = ageOf(value);
  return age !== undefined ? now - age : parseInstant("time", value, SINCE_FORMS).at;
};

const SINCE_FORMS = "use 30m, 1h or 7d, a day such as 2027-01-31, or a date-time such as 2027-01-31T18:00:00Z";
