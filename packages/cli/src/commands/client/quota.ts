import type { Client } from "@aigw/core";
import { findClient, resetQuotas } from "@aigw/core/acts";
import { readTerms } from "@aigw/core/plans";
import {
  amountInWords,
  grantInWords,
  type QuotaStanding,
  quotaSteps,
  readStandings,
  unitInWords,
} from "@aigw/core/quotas";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChange, subjects } from "../../app/gateways.ts";
import type { Home } from "../../app/home.ts";
import { zoneOf } from "../../app/settings.ts";
import { quotaJson } from "../../json/quota.ts";
import { bar } from "../../terminal/output/bar.ts";
import { type Cell, type Column, renderTable } from "../../terminal/output/table.ts";
import { rfc3339, when } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";
import { existingName } from "./client-name.ts";

interface Flags {
  readonly reset: boolean;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("quota", "Show what a client has used of its quotas, and what is left.", [
    ["aigw client quota john", "used, left, and when each starts anew"],
    ["aigw client quota john --json | jq '.quotas[].left'", "for scripts"],
    ["aigw client quota john --reset", "its present periods start anew"],
  ])
    .argument("[name]", "the client's name")
    .usage("<name> [options]")
    .option("--reset", "what was used in the present periods counts no more", false)
    .option("--no-wait", "with --reset: do not wait for the gateways")
    .action(async (given: string | undefined, { reset, wait }: Flags) => {
      const name = await existingName(ctx, given, "quota");
      await (reset ? runReset({ name, wait }, ctx) : run({ name }, ctx));
    });

export const run = ({ name }: { readonly name: string }, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const client = await findClient(home.store.control, name);
    const standings = await standingsIn(ctx, home, client);
    await ctx.out.answer({
      json: () => ({ client: name, quotas: standings.map(quotaJson) }),
      quiet: () => standings.map((one) => `${unitInWords(one)}/${one.per} ${words(one, one.left)}`),
      text: async (view) =>
        standings.length === 0
          ? ""
          : renderTable(
              view,
              COLUMNS,
              standings.map((one) => row(view, one)),
            ),
    });
    if (standings.length === 0) {
      await ctx.out.note(`${name} has no quota. Give it one: aigw client set ${name} --quota 'requests=10000/day'`);
      return;
    }
    for (const grant of client.grants ?? []) {
      if (grant.until <= ctx.clock.now()) continue;
      const why = grant.note === undefined ? "" : ` (${grant.note})`;
      await ctx.out.note(`Granted: ${grantInWords(grant)} until ${rfc3339(grant.until)}${why}.`);
    }
  });

const runReset = ({ name, wait }: { readonly name: string; readonly wait: boolean }, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { result, rev } = await resetQuotas(home, name);
    const standings = await standingsIn(ctx, home, result);
    await reportChange(ctx, {
      sentence: `${name}'s quotas start anew.`,
      quiet: name,
      json: { client: name, quotas: standings.map(quotaJson), changed: true },
      applied: await awaitApplied(home, rev, `${subjects([name])} reset`, wait),
    });
  });

const standingsIn = async (ctx: Context, { store }: Home, client: Client): Promise<readonly QuotaStanding[]> => {
  const { quota } = await readTerms(store.control, client);
  return readStandings(store, client, quota, await zoneOf(ctx, store.control));
};

const BAR = 20;

const COLUMNS: readonly Column[] = [
  { title: "Quota" },
  { title: "Used", align: "right" },
  { title: "Left", align: "right" },
  { title: "Resets" },
  { title: "" },
  { title: "Set aside", align: "right" },
];

const words = (one: QuotaStanding, amount: number): string => amountInWords(amount, quotaSteps(one));

const row = (view: View, one: QuotaStanding): readonly Cell[] => [
  `${unitInWords(one)}=${words(one, one.limit)}/${one.per}`,
  words(one, one.used),
  one.left === 0 ? { text: "0", tone: "red" } : words(one, one.left),
  when(view, one.resetsAt),
  bar(one.used, one.limit, BAR)
    .padEnd(BAR, view.isTerminal ? "░" : " ")
    .trimEnd(),
  one.reserved === 0 ? "" : words(one, one.reserved),
];
