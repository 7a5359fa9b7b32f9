import { AigwError } from "./errors.ts";

/** The last moment whose year has four digits, as RFC 3339 requires; milliseconds since the epoch. */
export const LAST_INSTANT: number = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

export interface Instant {
  /** Milliseconds since the epoch, 0 to {@link LAST_INSTANT}; of a whole day its first moment in UTC. */
  readonly at: number;
  /** Only a day was given. */
  readonly wholeDay: boolean;
}

const FORM = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:[Zz]|([+-])(\d\d):(\d\d)))?$/;

/**
 * The one reader of times that people write: a day such as `2027-01-31`, or a date-time of RFC 3339 §5.6 with its offset
 * (seconds may be left out, a blank may stand for the `T`).
 * @param what and `allowed` are said in the error: `<what> '<value>' is not valid: …<allowed>.`
 * @throws AigwError `invalid_value`, also for what has the form but does not exist, such as 2026-02-29, and for years
 * before 1970 or, in UTC, after 9999
 */
export const parseInstant = (what: string, value: string, allowed: string): Instant => {
  const refused = (why: string): AigwError =>
    new AigwError("invalid_value", `${what} '${value}' is not valid: ${why}${allowed}.`);
  const match = FORM.exec(value);
  if (match === null) throw refused("");
  const part = (index: number): number => Number(match[index] ?? 0);
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)];
  const outside = "the years that can be written are 1970 to 9999; ";
  if (year < 1970) throw refused(outside);
  const midnight = Date.UTC(year, month - 1, day);
  // Date.UTC makes 1 March of 29 February.
  if (month < 1 || month > 12 || new Date(midnight).getUTCDate() !== day) throw refused("there is no such day; ");
  // Nor 24:00, nor the 60th second: RFC 3339 has it for leap seconds only, which no computer's clock counts.
  if (hour > 23 || minute > 59 || second > 59) throw refused("there is no such time; ");
  if (part(9) > 23 || part(10) > 59) throw refused("there is no such offset from UTC; ");
  const milliseconds = Number((match[7] ?? "").padEnd(3, "0").slice(0, 3));
  const offset = (part(9) * 60 + part(10)) * (match[8] === "-" ? -1 : 1);
  const at = midnight + ((hour * 60 + minute - offset) * 60 + second) * 1000 + milliseconds;
  if (at < 0 || at > LAST_INSTANT) throw refused(outside);
  return { at, wholeDay: match[4] === undefined };
};

/** RFC 3339 in UTC, to the millisecond. What lies outside the years 1970 to 9999 is shown as their first or last moment. */
export const rfc3339 = (at: number): string => new Date(Math.min(Math.max(at, 0), LAST_INSTANT)).toISOString();
