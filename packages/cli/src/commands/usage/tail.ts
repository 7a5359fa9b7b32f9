import { setTimeout as delay } from "node:timers/promises";
import type { TrafficStore, UsageEvent, UsageFilter } from "@aigw/core";
import type { Command } from "commander";
import { Interrupted } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { parseCount, parseSince } from "../../app/parse-value.ts";
import { usageEventJson } from "../../json/usage.ts";
import { escapeText, safeJson } from "../../terminal/output/escape.ts";
import { dayLine, type UsageTable, usageDay, usageTable } from "../../terminal/output/usage-line.ts";
import { addFilterFlags, assertKnown, type FilterFlags, filterOf } from "./filter-flags.ts";

export interface TailOptions {
  readonly follow: boolean;
  readonly lines: number;
  readonly filter: UsageFilter;
}

interface Flags extends FilterFlags {
  readonly follow: boolean;
  readonly lines: number;
  readonly since?: number;
}

export const command = (ctx: Context): Command => {
  const tail = describe("tail", "Show the last calls, oldest first; with -f also those to come, until Ctrl-C.", [
    ["aigw usage tail -f", "the last 20 and every one to come"],
    ["aigw usage tail --client john --status 4xx --since 1h", "john's refused calls of the last hour"],
    ["aigw usage tail -f --json | jq -r 'select(.latencyMs > 1000) | .requestId'", "slow ones, as they come"],
  ])
    .option("-f, --follow", "keep on, with every call to come", false)
    .option(
      "-n, --lines <number>",
      "how many of the last ones",
      flag("-n", (value) => parseCount("number", value, 0, 100_000)),
      20,
    )
    .optionsGroup("Which calls:")
    .option(
      "--since <when>",
      "30m, 1h, 7d, or a date-time",
      flag("--since", (value) => parseSince(value, ctx.clock.now())),
    );
  return addFilterFlags(tail).action(({ follow, lines, since, ...filter }: Flags) =>
    run({ follow, lines, filter: filterOf(filter, since) }, ctx),
  );
};

export const run = ({ follow, lines, filter }: TailOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store }) => {
    await assertKnown(store, filter);
    const print = await printer(ctx);
    const { events, cursor } = await store.traffic.latestUsage(filter, lines);
    await print(events);
    if (follow) return keepPrinting(ctx, store.traffic, filter, cursor, print);
    if (events.length === 0) await ctx.out.note("No usage matches.");
  });

type Print = (events: readonly UsageEvent[]) => Promise<void>;

const printer = async (ctx: Context): Promise<Print> => {
  const { out } = ctx;
  const view = await out.view();
  let table: UsageTable | undefined;
  let day = usageDay({ at: ctx.clock.now() });
  return async (events) => {
    if (events.length === 0) return;
    const isFirst = table === undefined;
    table ??= usageTable(view, events);
    const { head, line } = table;
    const lines = events.flatMap((event) => {
      if (out.mode === "json") return safeJson(usageEventJson(event));
      if (out.mode === "quiet") return escapeText(event.requestId);
      const its = usageDay(event);
      if (!view.isTerminal || its === day) return line(event);
      day = its;
      return [dayLine(view, its), line(event)];
    });
    if (out.mode === "text" && isFirst) lines.unshift(head);
    await out.line(lines.join("\n"));
  };
};

/** Gateways write usage in batches every few hundred milliseconds; a poll that finds nothing costs microseconds. */
const POLL_MS = 100;
const PAGE = 1_000;

const keepPrinting = async (
  ctx: Context,
  traffic: TrafficStore,
  filter: UsageFilter,
  from: string,
  print: Print,
): Promise<never> => {
  const stopped = new AbortController();
  const unlisten = ctx.io.onStop(() => stopped.abort());
  try {
    let cursor = from;
    for (;;) {
      const page = await traffic.usageAfter(cursor, filter, PAGE);
      cursor = page.cursor;
      await print(page.events);
      if (stopped.signal.aborted) throw new Interrupted("");
      if (page.events.length < PAGE) await delay(POLL_MS, undefined, { signal: stopped.signal }).catch(() => {});
    }
  } finally {
    unlisten();
  }
};
