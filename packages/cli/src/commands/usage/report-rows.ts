import {
  COST,
  DAY_MS,
  emptyTally,
  HOUR_MS,
  isTimeKey,
  startOf,
  type TimeKey,
  type UsageKey,
  type UsageReport,
  type UsageRow,
  type UsageTally,
} from "@aigw/core/usage";

/** More than a report by hour of a year. */
const MOST_GAPS = 10_000;

/**
 * Busiest first, by requests or by the unit that was asked for; by time in its order, and then with the periods in which
 * nothing happened.
 */
export const orderedRows = (
  report: UsageReport,
  by: readonly UsageKey[],
  now: number,
  unit = "requests",
): readonly UsageRow[] => {
  const time = by.findIndex(isTimeKey);
  const byValue = (one: UsageRow, other: UsageRow): number =>
    Number(unitOf(other.tally, unit) - unitOf(one.tally, unit)) || other.tally.requests - one.tally.requests;
  if (time === -1) return report.rows.toSorted((one, other) => byValue(one, other) || byKey(one, other));
  const [key] = by;
  const rows = by.length === 1 && key !== undefined && isTimeKey(key) ? withGaps(report, key, now) : report.rows;
  return rows.toSorted((one, other) => at(one, time) - at(other, time) || byValue(one, other));
};

/** Millionths; of a figure that every call has as well. */
export const unitOf = (tally: UsageTally, unit: string): bigint => {
  switch (unit) {
    case "requests":
      return BigInt(tally.requests) * 1_000_000n;
    case "bytes_in":
      return BigInt(tally.bytesIn) * 1_000_000n;
    case "bytes_out":
      return BigInt(tally.bytesOut) * 1_000_000n;
    case COST:
      return tally.cost;
    default:
      return tally.units.get(unit) ?? 0n;
  }
};

const at = ({ key }: UsageRow, index: number): number => Number(key[index]);

const byKey = (one: UsageRow, other: UsageRow): number => (one.key.join() < other.key.join() ? -1 : 1);

const withGaps = ({ rows, since, until = 0 }: UsageReport, key: TimeKey, now: number): readonly UsageRow[] => {
  const times = new Set(rows.map((row) => at(row, 0)));
  if (times.size === 0) return rows;
  // Without a beginning of its own, a report begins with what there is.
  const first = periodOf(key, since === 0 ? Math.min(...times) : since);
  const end = Math.max(Math.max(...times) + 1, until === 0 ? now : Math.min(until, now));
  if ((end - first) / SHORTEST_MS[key] > MOST_GAPS) return rows;
  const gaps: UsageRow[] = [];
  for (let time = first; time < end; time = periodOf(key, time + LONGEST_MS[key]))
    if (!times.has(time)) gaps.push({ key: [time], tally: emptyTally() });
  return [...rows, ...gaps];
};

const SHORTEST_MS: Readonly<Record<TimeKey, number>> = {
  hour: HOUR_MS,
  day: DAY_MS,
  week: 7 * DAY_MS,
  month: 28 * DAY_MS,
};
/** From a period's start into the next one. */
const LONGEST_MS: Readonly<Record<TimeKey, number>> = { ...SHORTEST_MS, month: 31 * DAY_MS };

const periodOf = (key: TimeKey, time: number): number =>
  key === "hour" ? Math.floor(time / HOUR_MS) * HOUR_MS : startOf(key, time);
