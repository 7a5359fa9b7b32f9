import {
  DAY_MS,
  sumTallies,
  USAGE_KEYS,
  type UsageFilter,
  type UsageKey,
  type UsageReport,
  type UsageRow,
  type UsageTally,
} from "@aigw/core/usage";
import type { Command } from "commander";
import { choicesOption } from "../../app/choice-option.ts";
import { UsageError } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { tallyJson } from "../../json/usage-report.ts";
import { csvLine } from "../../terminal/output/csv.ts";
import { grouped, humanBytes, humanMs } from "../../terminal/output/figures.ts";
import { rfc3339 } from "../../terminal/output/time.ts";
import {
  addFilterFlags,
  addPeriodFlags,
  assertKnown,
  assertPeriod,
  type FilterFlags,
  filterOf,
  type PeriodFlags,
} from "./filter-flags.ts";
import { orderedRows } from "./report-rows.ts";
import { renderReport } from "./report-table.ts";

export interface ReportOptions {
  readonly by: readonly UsageKey[];
  readonly filter: UsageFilter;
  readonly until: number | undefined;
  readonly csv: boolean;
}

export const command = (ctx: Context): Command => {
  const report = describe("report", "Sum up the calls of a period. Hours and days are those of UTC.", [
    ["aigw usage report", "the last 24 hours, by client"],
    ["aigw usage report --since 7d --by day --client john", "john's week, day by day"],
    ["aigw usage report --by service,status --status 5xx", "which service fails, and how"],
    ["aigw usage report --since 2027-01-01 --until 2027-02-01 --csv > january.csv", "a month for a spreadsheet"],
  ]).addOption(
    choicesOption("--by <keys>", "key", `one or more of ${USAGE_KEYS.join(", ")}`, USAGE_KEYS).default(["client"]),
  );
  addPeriodFlags(report, ctx, "30m, 24h, 7d, a day (UTC) or a date-time with its zone; 24h unless given");
  return addFilterFlags(report)
    .option("--csv", "comma-separated values", false)
    .action(({ by, csv, since, until, ...filter }: Flags) => {
      if (csv && ctx.globals.json) throw new UsageError("--csv and --json exclude each other: give one of them.");
      const from = since ?? (until ?? ctx.clock.now()) - DAY_MS;
      assertPeriod(from, until);
      return run({ by, csv, until, filter: filterOf(filter, from) }, ctx);
    });
};

interface Flags extends FilterFlags, PeriodFlags {
  readonly by: readonly UsageKey[];
  readonly csv: boolean;
}

export const run = ({ by, filter, until, csv }: ReportOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store, clock }) => {
    await assertKnown(store, filter);
    const report = await store.traffic.usageReport({ by, filter, ...(until === undefined ? {} : { until }) });
    const now = clock.now();
    const rows = orderedRows(report, by, now);
    const total = sumTallies(report.rows.map(({ tally }) => tally));
    const end = report.until ?? now;
    if (csv) return ctx.out.line(csvOf(by, rows));
    await ctx.out.answer({
      json: () => ({
        since: rfc3339(report.since),
        until: rfc3339(end),
        by,
        rows: rows.map(({ key, tally }) => ({ ...keyJson(by, key), ...tallyJson(tally) })),
        total: tallyJson(total),
      }),
      quiet: () => String(total.requests),
      text: (view) => (report.rows.length === 0 ? "" : renderReport(view, by, rows, total)),
    });
    await ctx.out.note(noteOf(report, end, total));
    await noteCut(ctx, report, filter.since ?? 0, until);
  });

const keyJson = (by: readonly UsageKey[], key: UsageRow["key"]): Readonly<Record<string, string | number>> =>
  Object.fromEntries(by.map((name, index) => [name, plainKey(name, key[index] ?? "")]));

const plainKey = (name: UsageKey, value: string | number): string | number => {
  if (name === "day") return rfc3339(Number(value)).slice(0, 10);
  return name === "hour" ? rfc3339(Number(value)) : value;
};

const FIGURES = ["requests", "ok", "errors", "limited", "denied", "aborted", "bytesIn", "bytesOut"] as const;

const csvOf = (by: readonly UsageKey[], rows: readonly UsageRow[]): string => {
  const head = csvLine([...by, ...FIGURES, "latencyMeanMs", "latencyP50Ms", "latencyP95Ms"]);
  const lines = rows.map(({ key, tally }) => {
    const json = tallyJson(tally);
    const { mean = null, p50 = null, p95 = null } = json.latencyMs ?? {};
    const keys = by.map((name, index) => plainKey(name, key[index] ?? ""));
    return csvLine([...keys, ...FIGURES.map((name) => json[name]), mean, p50, p95]);
  });
  return [head, ...lines].join("\n");
};

const noteOf = ({ since, rows }: UsageReport, end: number, total: UsageTally): string => {
  const period = `${minute(since)} to ${minute(end)} UTC`;
  if (rows.length === 0) return `No usage matches from ${period}.`;
  const { latencyMs } = tallyJson(total);
  const took = latencyMs === null ? "" : `, mean ${humanMs(latencyMs.mean)}`;
  return `${period}: ${grouped(total.requests)} requests, ${grouped(total.errors)} errors, ${grouped(total.limited)} limited, ${grouped(total.denied)} denied, ${humanBytes(total.bytesIn)} in, ${humanBytes(total.bytesOut)} out${took}.`;
};

const minute = (at: number): string => rfc3339(at).slice(0, 16).replace("T", " ");

/** The period is another than was asked for, because single calls of that time are no longer there. */
const noteCut = async (ctx: Context, report: UsageReport, since: number, until: number | undefined): Promise<void> => {
  if (report.since === since && report.until === until) return;
  await ctx.out.note("Single calls of that time have been pruned: what is left are the sums of whole days (UTC).");
};
