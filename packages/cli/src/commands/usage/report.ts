import {
  DAY_MS,
  sumInWords,
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
import { settingsInForce } from "../../app/settings.ts";
import { tallyJson, unitsOf } from "../../json/usage-report.ts";
import { csvLine } from "../../terminal/output/csv.ts";
import { grouped, humanBytes, humanCost, humanMs, humanUnits } from "../../terminal/output/figures.ts";
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
import { orderedRows, unitOf } from "./report-rows.ts";
import { plainKey, renderReport } from "./report-table.ts";
import { assertKnownUnits, unitOption } from "./unit-flag.ts";

export interface ReportOptions {
  readonly by: readonly UsageKey[];
  readonly filter: UsageFilter;
  readonly until: number | undefined;
  readonly csv: boolean;
  /** What the table is of; absent: everything that there is. */
  readonly units?: readonly string[] | undefined;
}

export const command = (ctx: Context): Command => {
  const report = describe("report", "Sum up the calls of a period. Hours, days, weeks and months are those of UTC.", [
    ["aigw usage report", "the last 24 hours, by client"],
    ["aigw usage report --since 7d --by day --client john", "john's week, day by day"],
    ["aigw usage report --by service,status --status 5xx", "which service fails, and how"],
    ["aigw usage report --since 30d --by model --unit input_tokens,cost", "which models are worth what"],
    ["aigw usage report --since 2027-01-01 --until 2027-02-01 --csv > january.csv", "a month for a spreadsheet"],
  ])
    .addOption(
      choicesOption("--by <keys>", "key", `one or more of ${USAGE_KEYS.join(", ")}`, USAGE_KEYS).default(["client"]),
    )
    .addOption(unitOption("in the table, and what it is sorted by: such as input_tokens,cost; all unless given"));
  addPeriodFlags(report, ctx, "30m, 24h, 7d, a day (UTC) or a date-time with its zone; 24h unless given");
  return addFilterFlags(report)
    .option("--csv", "comma-separated values", false)
    .action(({ by, csv, since, until, unit, ...filter }: Flags) => {
      if (csv && ctx.globals.json) throw new UsageError("--csv and --json exclude each other: give one of them.");
      const from = since ?? (until ?? ctx.clock.now()) - DAY_MS;
      assertPeriod(from, until);
      return run({ by, csv, until, filter: filterOf(filter, from), units: unit }, ctx);
    });
};

interface Flags extends FilterFlags, PeriodFlags {
  readonly by: readonly UsageKey[];
  readonly csv: boolean;
  readonly unit?: readonly string[];
}

export const run = ({ by, filter, until, csv, units }: ReportOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store, clock }) => {
    await assertKnown(store, filter);
    const report = await store.traffic.usageReport({ by, filter, ...(until === undefined ? {} : { until }) });
    const now = clock.now();
    const rows = orderedRows(report, by, now, units?.[0]);
    const total = sumTallies(report.rows.map(({ tally }) => tally));
    if (units !== undefined) await assertKnownUnits(store, units, total);
    const end = report.until ?? now;
    const currency = settingsInForce(ctx, await store.control.settings()).currency.value;
    if (csv) return ctx.out.line(csvOf(by, rows, total));
    await ctx.out.answer({
      json: () => ({
        since: rfc3339(report.since),
        until: rfc3339(end),
        by,
        rows: rows.map(({ key, tally }) => ({ ...keyJson(by, key), ...tallyJson(tally) })),
        total: tallyJson(total),
      }),
      quiet: () => (units ?? ["requests"]).map((unit) => sumInWords(unitOf(total, unit))),
      text: (view) => (report.rows.length === 0 ? "" : renderReport(view, by, rows, total, units, currency)),
    });
    await ctx.out.note(noteOf(report, end, total));
    await noteCut(ctx, report, filter.since ?? 0, until);
  });

const keyJson = (by: readonly UsageKey[], key: UsageRow["key"]): Readonly<Record<string, string | number>> =>
  Object.fromEntries(by.map((name, index) => [name, plainKey(name, key[index] ?? "")]));

const FIGURES = ["requests", "ok", "errors", "limited", "denied", "aborted", "bytesIn", "bytesOut"] as const;

/** A column for each unit by its name, and for the cost; none where there is nothing of them. */
const csvOf = (by: readonly UsageKey[], rows: readonly UsageRow[], total: UsageTally): string => {
  const units = unitsOf(total).map(([unit]) => unit);
  const hasPrices = total.priced + total.unpriced > 0;
  const head = [...by, ...FIGURES, "latencyMeanMs", "latencyP50Ms", "latencyP95Ms", ...units];
  const lines = rows.map(({ key, tally }) => {
    const json = tallyJson(tally);
    const { mean = null, p50 = null, p95 = null } = json.latencyMs ?? {};
    const keys = by.map((name, index) => plainKey(name, key[index] ?? ""));
    const worth = units.map((unit) => sumInWords(tally.units.get(unit) ?? 0n));
    const costs = [tally.priced === 0 ? null : sumInWords(tally.cost), tally.unpriced];
    return csvLine([
      ...[...keys, ...FIGURES.map((name) => json[name]), mean, p50, p95, ...worth],
      ...(hasPrices ? costs : []),
    ]);
  });
  return [csvLine([...head, ...(hasPrices ? ["cost", "unpriced"] : [])]), ...lines].join("\n");
};

const noteOf = ({ since, rows }: UsageReport, end: number, total: UsageTally): string => {
  const period = `${minute(since)} to ${minute(end)} UTC`;
  if (rows.length === 0) return `No usage matches from ${period}.`;
  const { latencyMs } = tallyJson(total);
  const took = latencyMs === null ? "" : `, mean ${humanMs(latencyMs.mean)}`;
  return `${period}: ${grouped(total.requests)} requests, ${grouped(total.errors)} errors, ${grouped(total.limited)} limited, ${grouped(total.denied)} denied, ${humanBytes(total.bytesIn)} in, ${humanBytes(total.bytesOut)} out${took}${worthNote(total)}.`;
};

/** Also what is not in the units and the cost. */
const worthNote = (total: UsageTally): string => {
  const parts = [
    ...unitsOf(total).map(([unit, sum]) => `${humanUnits(sum)} ${unit}`),
    ...(total.priced > 0 ? [`cost ${humanCost(total.cost)}`] : []),
    ...(total.unpriced > 0 ? [`${grouped(total.unpriced)} without a price`] : []),
    ...(total.unread > 0 ? [`${grouped(total.unread)} of ${grouped(total.metered)} metered calls unread`] : []),
    ...(total.estimated > 0 ? [`${grouped(total.estimated)} estimated`] : []),
  ];
  return parts.length === 0 ? "" : `; ${parts.join(", ")}`;
};

const minute = (at: number): string => rfc3339(at).slice(0, 16).replace("T", " ");

/** The period is another than was asked for, because single calls of that time are no longer there. */
const noteCut = async (ctx: Context, report: UsageReport, since: number, until: number | undefined): Promise<void> => {
  if (report.since === since && report.until === until) return;
  await ctx.out.note("Single calls of that time have been pruned: what is left are the sums of whole days (UTC).");
};
