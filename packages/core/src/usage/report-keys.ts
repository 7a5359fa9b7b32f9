import { DAY_MS } from "./report-plan.ts";
import { emptyTally, type UsageKey, type UsageRow, type UsageTally } from "./usage-report.ts";

/** Keys that are the start of a period, milliseconds since the epoch. */
export type TimeKey = "hour" | "day" | "week" | "month";

export const isTimeKey = (key: UsageKey): key is TimeKey =>
  key === "hour" || key === "day" || key === "week" || key === "month";

/** 1970-01-01 was a Thursday. */
const FIRST_MONDAY = 4;

/**
 * The start of the day, week or month (UTC) that a moment is in. Weeks start on Monday, ISO 8601.
 * @param at milliseconds since the epoch
 */
export const startOf = (key: "day" | "week" | "month", at: number): number => {
  const day = Math.floor(at / DAY_MS);
  if (key === "day") return day * DAY_MS;
  if (key === "week") return (Math.floor((day - FIRST_MONDAY) / 7) * 7 + FIRST_MONDAY) * DAY_MS;
  const date = new Date(at);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
};

/** The rows of a report while an engine puts it together. */
export class ReportRows {
  readonly #by: readonly UsageKey[];
  readonly #rows = new Map<string, UsageRow>();

  constructor(by: readonly UsageKey[]) {
    this.#by = by;
  }

  /** @param found the key as engines have it: any day of a week or a month */
  tallyOf(found: readonly (string | number)[]): UsageTally {
    const key = found.map((value, index) => {
      const name = this.#by[index];
      return name === "week" || name === "month" ? startOf(name, Number(value)) : value;
    });
    const id = key.join(" ");
    let row = this.#rows.get(id);
    if (row === undefined) {
      row = { key, tally: emptyTally() };
      this.#rows.set(id, row);
    }
    return row.tally;
  }

  all(): readonly UsageRow[] {
    return [...this.#rows.values()];
  }
}
