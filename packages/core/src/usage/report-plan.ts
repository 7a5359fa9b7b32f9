import { DAY_MS, HOUR_MS } from "../durations.ts";
import type { UsageKey } from "./usage-report.ts";

export { DAY_MS, HOUR_MS };

/** `from` ≤ x < `to`; `to` may be infinite. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** From which records a report is put together. The parts do not overlap and leave nothing out. */
export interface ReportPlan {
  /** The period in force, milliseconds since the epoch. */
  readonly since: number;
  readonly until: number;
  /** Days since the epoch. */
  readonly days: readonly Range[];
  /** Hours since the epoch. */
  readonly hours: readonly Range[];
  /** Milliseconds since the epoch: the ragged edges, for which single events are looked at. */
  readonly raw: readonly Range[];
}

export interface PlannedPeriod {
  readonly by: readonly UsageKey[];
  readonly since: number;
  readonly until: number;
  /** Events and hours before it may be gone; a multiple of {@link DAY_MS}. */
  readonly prunedBefore: number;
}

/** Days where it can be days, hours around them, single events for what is left. */
export const planReport = (period: PlannedPeriod): ReportPlan => {
  const { since, until } = withinRecords(period);
  if (since >= until) return { since, until: since, days: [], hours: [], raw: [] };
  const hourFrom = Math.ceil(since / HOUR_MS);
  const hourTo = Math.floor(until / HOUR_MS);
  if (hourFrom > hourTo) return { since, until, days: [], hours: [], raw: [{ from: since, to: until }] };
  const raw = filled([
    { from: since, to: hourFrom * HOUR_MS },
    { from: hourTo * HOUR_MS, to: until },
  ]);
  const dayFrom = Math.ceil(hourFrom / 24);
  const dayTo = Math.floor(hourTo / 24);
  if (period.by.includes("hour") || dayFrom >= dayTo) {
    return { since, until, days: [], hours: filled([{ from: hourFrom, to: hourTo }]), raw };
  }
  const hours = filled([
    { from: hourFrom, to: dayFrom * 24 },
    { from: dayTo * 24, to: hourTo },
  ]);
  return { since, until, days: [{ from: dayFrom, to: dayTo }], hours, raw };
};

/** What {@link ReportPlan.days} and `hours` cover, milliseconds since the epoch. */
export const summedPeriods = ({ days, hours }: ReportPlan): readonly Range[] => [
  ...days.map(({ from, to }) => ({ from: from * DAY_MS, to: to * DAY_MS })),
  ...hours.map(({ from, to }) => ({ from: from * HOUR_MS, to: to * HOUR_MS })),
];

const withinRecords = ({ by, since, until, prunedBefore }: PlannedPeriod): { since: number; until: number } => {
  if (by.includes("hour")) return { since: Math.max(since, prunedBefore), until };
  return {
    since: since < prunedBefore ? Math.floor(since / DAY_MS) * DAY_MS : since,
    until: until < prunedBefore ? Math.ceil(until / DAY_MS) * DAY_MS : until,
  };
};

const filled = (ranges: readonly Range[]): readonly Range[] => ranges.filter(({ from, to }) => from < to);
