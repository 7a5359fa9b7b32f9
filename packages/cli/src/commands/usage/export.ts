import type { UsageEvent, UsageFilter } from "@aigw/core";
import type { Command } from "commander";
import { choiceOption } from "../../app/choice-option.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { type UsageEventJson, usageEventJson } from "../../json/usage.ts";
import { csvLine } from "../../terminal/output/csv.ts";
import { safeJson } from "../../terminal/output/escape.ts";
import { grouped } from "../../terminal/output/figures.ts";
import {
  addFilterFlags,
  addPeriodFlags,
  assertKnown,
  assertPeriod,
  type FilterFlags,
  filterOf,
  type PeriodFlags,
} from "./filter-flags.ts";

type Format = "ndjson" | "csv";

export interface ExportOptions {
  readonly format: Format;
  readonly filter: UsageFilter;
  readonly until: number | undefined;
}

export const command = (ctx: Context): Command => {
  const exporting = describe("export", "Write every single call of a period to standard output, by time.", [
    ["aigw usage export > usage.ndjson", "all there is, a JSON object a line"],
    ["aigw usage export --since 2027-01-01 --until 2027-02-01 --format csv > january.csv", "a month"],
    ["aigw usage export --since 24h --client john | gzip > john.ndjson.gz", "john's last day"],
  ]).addOption(
    choiceOption("--format <format>", "format", "ndjson or csv", FORMATS).default("ndjson" satisfies Format),
  );
  addPeriodFlags(exporting, ctx, "30m, 24h, 7d, a day (UTC) or a date-time with its zone; the oldest unless given");
  return addFilterFlags(exporting).action(({ format, since, until, ...filter }: Flags) => {
    assertPeriod(since, until);
    return run({ format, until, filter: filterOf(filter, since) }, ctx);
  });
};

interface Flags extends FilterFlags, PeriodFlags {
  readonly format: Format;
}

const FORMATS: readonly Format[] = ["ndjson", "csv"];

/** Pages are read as fast as they are taken, so that any span costs the memory of one. */
const PAGE = 1_000;

export const run = ({ format, filter, until }: ExportOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store, clock }) => {
    await assertKnown(store, filter);
    // A fixed end: what is stored meanwhile would keep the export going.
    const span = { filter, until: until ?? clock.now() };
    let cursor: string | undefined;
    let calls = 0;
    if (format === "csv") await ctx.out.line(csvLine(FIELDS));
    for (;;) {
      const page = await store.traffic.usageBetween(span, cursor, PAGE);
      await ctx.out.line(page.events.map(format === "csv" ? csvOf : jsonOf).join("\n"));
      for (const { count = 1 } of page.events) calls += count;
      cursor = page.cursor;
      if (page.events.length < PAGE) break;
    }
    await ctx.out.note(`${grouped(calls)} calls exported.`);
  });

const jsonOf = (event: UsageEvent): string => safeJson(usageEventJson(event));

const FIELDS: readonly (keyof UsageEventJson)[] = [
  "id",
  "at",
  "client",
  "service",
  "method",
  "path",
  "status",
  "latencyMs",
  "upstreamMs",
  "bytesIn",
  "bytesOut",
  "requestId",
  "outcome",
  "reason",
  "count",
  "units",
  "metered",
  "from",
  "model",
  "unread",
  "cost",
  "plan",
  "fallback",
  "queuedMs",
];

const csvOf = (event: UsageEvent): string => {
  const { units, ...json } = { count: 1, ...usageEventJson(event) };
  // Which units there will be is not known at the head: they are a JSON object in one column.
  const fields = { ...json, ...(units !== undefined && { units: JSON.stringify(units) }) };
  return csvLine(FIELDS.map((name) => fields[name as keyof typeof fields] ?? null));
};
