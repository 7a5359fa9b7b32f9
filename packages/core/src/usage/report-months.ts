import { DAY_MS, type Range } from "./report-plan.ts";
import { monthOf } from "./usage-groups.ts";
import type { UsageKey } from "./usage-report.ts";

/** Of whole days the whole months apart, where a report is of nothing shorter. Months are counted from the year 0. */
export const withMonths = (
  days: readonly Range[],
  by: readonly UsageKey[],
): { readonly months: readonly Range[]; readonly days: readonly Range[] } => {
  if (by.includes("day") || by.includes("week")) return { months: [], days };
  const parts = days.map(({ from, to }) => {
    const month = monthOf((from - 1) * DAY_MS) + 1;
    const end = to === Number.POSITIVE_INFINITY ? to : monthOf(to * DAY_MS);
    if (month >= end) return { months: [], days: [{ from, to }] };
    const edges = [
      { from, to: dayOfMonth(month) },
      { from: dayOfMonth(end), to },
    ];
    return { months: [{ from: month, to: end }], days: edges.filter((edge) => edge.from < edge.to) };
  });
  return { months: parts.flatMap(({ months }) => months), days: parts.flatMap((part) => part.days) };
};

/** The first day of a month since the year 0, days since the epoch. */
export const dayOfMonth = (month: number): number =>
  month === Number.POSITIVE_INFINITY ? month : Date.UTC(Math.floor(month / 12), month % 12) / DAY_MS;
