import { DAY_MS, emptyTally, HOUR_MS, type UsageKey, type UsageReport, type UsageRow } from "@aigw/core/usage";

/** More than a report by hour of a year. */
const MOST_GAPS = 10_000;

/** Busiest first; by time in its order, and then with the hours or days in which nothing happened. */
export const orderedRows = (report: UsageReport, by: readonly UsageKey[], now: number): readonly UsageRow[] => {
  const time = by.findIndex((key) => key === "hour" || key === "day");
  if (time === -1)
    return report.rows.toSorted((one, other) => other.tally.requests - one.tally.requests || byKey(one, other));
  const rows = by.length === 1 ? withGaps(report, by[0] === "hour" ? HOUR_MS : DAY_MS, now) : report.rows;
  return rows.toSorted((one, other) => at(one, time) - at(other, time) || other.tally.requests - one.tally.requests);
};

const at = ({ key }: UsageRow, index: number): number => Number(key[index]);

const byKey = (one: UsageRow, other: UsageRow): number => (one.key.join() < other.key.join() ? -1 : 1);

const withGaps = ({ rows, since, until = 0 }: UsageReport, step: number, now: number): readonly UsageRow[] => {
  const times = new Set(rows.map((row) => at(row, 0)));
  if (times.size === 0) return rows;
  // Without a beginning of its own, a report begins with what there is.
  const first = Math.floor((since === 0 ? Math.min(...times) : since) / step) * step;
  const end = Math.max(Math.max(...times) + 1, until === 0 ? now : Math.min(until, now));
  if ((end - first) / step > MOST_GAPS) return rows;
  const gaps: UsageRow[] = [];
  for (let time = first; time < end; time += step)
    if (!times.has(time)) gaps.push({ key: [time], tally: emptyTally() });
  return [...rows, ...gaps];
};
