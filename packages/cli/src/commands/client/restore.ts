import { restoreClients } from "@aigw/core/acts";
import { standingOf } from "@aigw/core/clients";
import { readPlans } from "@aigw/core/plans";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChanges, subjects } from "../../app/gateways.ts";
import { clientJson } from "../../json/client.ts";
import { existingNames } from "./client-name.ts";

export interface RestoreOptions {
  readonly names: readonly string[];
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("restore", "Let revoked clients log in again with their passwords. Tokens from before stay dead.", [
    ["aigw client restore john", "john may log in again"],
    ["aigw client restore john mary --no-wait", "both, without waiting for the gateways"],
  ])
    .argument("[name...]", "the clients' names")
    .usage("<name>… [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: readonly string[], { wait }: { wait: boolean }) => {
      await run({ names: await existingNames(ctx, given, "restore", "revoked"), wait }, ctx);
    });

export const run = ({ names, wait }: RestoreOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { result, rev } = await restoreClients(home, names);
    const now = ctx.clock.now();
    const plans = await readPlans(
      home.store.control,
      result.map(({ subject }) => subject),
    );
    const reports = result.map(({ subject, changed }) => ({
      sentence: changed ? `${subject.name} restored.` : `${subject.name} is not revoked; nothing to do.`,
      quiet: subject.name,
      json: { client: clientJson(subject, now, plans), changed },
    }));
    await reportChanges(ctx, "clients", reports, await awaitApplied(home, rev, `${subjects(names)} restored`, wait));
    for (const { subject } of result) {
      if (standingOf(subject, now) !== "expired") continue;
      await ctx.out.warn(
        `${subject.name} has expired and is refused until: aigw client set ${subject.name} --no-expires`,
      );
    }
  });
