import { AigwError } from "@aigw/core/errors";
import { DAY_MS, keepUsage, pruneTime } from "@aigw/core/usage";
import type { Command } from "commander";
import { Interrupted, UsageError } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { settingsInForce } from "../../app/settings.ts";
import { confirmed } from "../../terminal/ask.ts";
import { grouped } from "../../terminal/output/figures.ts";
import { rfc3339 } from "../../terminal/output/time.ts";
import { prose } from "../../terminal/output/wrap.ts";

export interface PruneOptions {
  /** Days; the setting `usage-days` unless given. */
  readonly olderThan: number | undefined;
}

export const command = (ctx: Context): Command =>
  describe("prune", "Drop single calls of past days. Reports go on counting them, by whole days.", [
    ["aigw usage prune", "older than the setting usage-days; running gateways do so by themselves"],
    ["aigw usage prune --older-than 30d --yes", "in a script"],
  ])
    .option("--older-than <days>", "such as 90d; usage-days unless given", flag("--older-than", parseDays))
    .action(({ olderThan }: { readonly olderThan?: number }) => run({ olderThan }, ctx));

const parseDays = (value: string): number => {
  const days = /^([1-9]\d{0,4})d$/.exec(value)?.[1];
  if (days !== undefined) return Number(days);
  throw new AigwError("invalid_value", `age '${value}' is not valid: use whole days such as 90d.`);
};

/** Somebody waits for this; gateways that write meanwhile still have half of the time. */
const SHARES = { fold: 0.5, behind: 0.5, prune: 0.5 };

export const run = ({ olderThan }: PruneOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store, clock }) => {
    const setting = settingsInForce(ctx, await store.control.settings())["usage-days"].value;
    const asked = olderThan === undefined ? setting : String(olderThan);
    const time = pruneTime(asked, clock.now());
    if (time === undefined) throw new UsageError("usage-days is forever: say --older-than 90d to prune all the same.");
    const before = Math.floor(time / DAY_MS) * DAY_MS;
    const day = rfc3339(before).slice(0, 10);
    await confirmed(
      ctx,
      `Every single call before ${day} (UTC) will be dropped for good: it can then be neither shown nor exported. Reports keep the sums of each day.`,
      "Prune?",
    );
    const stopped = new AbortController();
    const unlisten = ctx.io.onStop(() => stopped.abort());
    try {
      const { pruned: events } = await keepUsage({
        traffic: store.traffic,
        before,
        shares: SHARES,
        signal: stopped.signal,
        onPruned: progress(ctx),
      });
      if (stopped.signal.aborted)
        throw new Interrupted(`Stopped. ${grouped(events)} usage events are dropped, the rest is left.`);
      await ctx.out.answer({
        json: () => ({ pruned: { events, before: rfc3339(before) } }),
        quiet: () => String(events),
        text: (view) => prose(view, `${grouped(events)} usage events before ${day} (UTC) dropped.`),
      });
    } finally {
      unlisten();
    }
  });

const PROGRESS_MS = 2_000;

const progress = (ctx: Context): ((events: number) => Promise<void>) => {
  let told = performance.now();
  return async (events) => {
    const now = performance.now();
    if (now - told < PROGRESS_MS) return;
    told = now;
    await ctx.out.note(`${grouped(events)} usage events dropped so far …`);
  };
};
