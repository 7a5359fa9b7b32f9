import { DAY_MS, HOUR_MS } from "../durations.ts";
import type { QuotaPeriod } from "./quota.ts";
import { changeBetween, type TimeZone } from "./time-zone.ts";

/** One hour, day, week or month of the calendar in a time zone. */
export interface CalendarPeriod {
  readonly per: QuotaPeriod;
  /**
   * Names it among all of its kind and of the others: `2026-11`, `2026-W48` (ISO 8601), `2026-11-25`, and
   * `2026-10-25T02+02:00`, of which the clock shows two on a day that has 25 hours.
   */
  readonly label: string;
  /** Milliseconds since the epoch; from the first moment to the first of the next. */
  readonly start: number;
  readonly end: number;
}

/**
 * The period that `at` lies in. Days, weeks and months begin with the first moment that shows their date: where midnight
 * is skipped, at the end of the gap; where a clock that was set back shows the evening before once more, they have begun.
 * An hour is as long as the clock shows it without being set: where half an hour is skipped, the other half is one.
 */
export const periodAt = (per: QuotaPeriod, zone: TimeZone, at: number): CalendarPeriod => {
  if (per === "hour") return hourAt(zone, at);
  let day = Math.floor((at + zone.offsetAt(at)) / DAY_MS);
  // The clock was set back over midnight.
  while (startOfDay(zone, day + 1) <= at) day += 1;
  const [first, next] = BOUNDS[per](day);
  return { per, label: LABELS[per](first), start: startOfDay(zone, first), end: startOfDay(zone, next) };
};

/** Days are counted from 1970-01-01, a Thursday. */
const BOUNDS: Readonly<Record<Exclude<QuotaPeriod, "hour">, (day: number) => readonly [first: number, next: number]>> =
  {
    day: (day) => [day, day + 1],
    week: (day) => {
      const monday = day - ((((day + 3) % 7) + 7) % 7);
      return [monday, monday + 7];
    },
    month: (day) => {
      const date = new Date(day * DAY_MS);
      const first = (months: number): number =>
        Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1) / DAY_MS;
      return [first(0), first(1)];
    },
  };

const dateOf = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);

const LABELS: Readonly<Record<Exclude<QuotaPeriod, "hour">, (first: number) => string>> = {
  day: dateOf,
  week: (monday) => {
    // The year that a week belongs to is its Thursday's.
    const thursday = new Date((monday + 3) * DAY_MS);
    const year = thursday.getUTCFullYear();
    const number = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS));
    return `${dateOf(monday + 3).slice(0, -6)}-W${String(number).padStart(2, "0")}`;
  },
  month: (first) => dateOf(first).slice(0, -3),
};

/** The end of a day that is given as its first moment in UTC. */
export const dayAfter = (zone: TimeZone, utc: number): number => startOfDay(zone, Math.floor(utc / DAY_MS) + 1);

/** The first moment that shows this date, or, where the date is skipped, a later one. */
const startOfDay = (zone: TimeZone, day: number): number => {
  const local = day * DAY_MS;
  // No zone is further from UTC than 15 hours, and none changes its time twice within two days.
  const [from, to] = [local - DAY_MS, local + DAY_MS];
  const [before, after] = [zone.offsetAt(from), zone.offsetAt(to)];
  if (before === after) return local - before;
  const change = changeBetween(zone, from, to);
  if (local - before < change) return local - before;
  return Math.max(change, local - after);
};

const hourAt = (zone: TimeZone, at: number): CalendarPeriod => {
  const offset = zone.offsetAt(at);
  const local = Math.floor((at + offset) / HOUR_MS) * HOUR_MS;
  let [start, end] = [local - offset, local - offset + HOUR_MS];
  if (zone.offsetAt(start) !== offset) start = changeBetween(zone, start, at);
  if (zone.offsetAt(end - 1) !== offset) end = changeBetween(zone, at, end - 1);
  return { per: "hour", label: `${new Date(local).toISOString().slice(0, 13)}${offsetInWords(offset)}`, start, end };
};

const offsetInWords = (offset: number): string => {
  const seconds = Math.abs(offset) / 1_000;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const rest = seconds % 60 === 0 ? "" : `:${two(seconds % 60)}`;
  return `${offset < 0 ? "-" : "+"}${two(seconds / 3_600)}:${two((seconds % 3_600) / 60)}${rest}`;
};
