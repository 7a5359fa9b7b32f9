import { findPlans, removePlans } from "@aigw/core/acts";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChanges, subjects } from "../../app/gateways.ts";
import { planJson } from "../../json/plan.ts";
import { confirmed } from "../../terminal/ask.ts";
import { listed } from "../../terminal/output/words.ts";
import { existingNames } from "./plan-name.ts";

export interface RemoveOptions {
  readonly names: readonly string[];
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  describe("remove", "Remove plans that nobody is on.", [
    ["aigw plan remove basic", "asks first"],
    ["aigw plan remove basic pro --yes", "both or neither, in a script"],
  ])
    .argument("[name...]", "the plans' names")
    .usage("<name>… [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: readonly string[], { wait }: { wait: boolean }) => {
      await run({ names: await existingNames(ctx, given, "remove"), wait }, ctx);
    });

export const run = ({ names, wait }: RemoveOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    await findPlans(home.store.control, names);
    const what =
      names.length === 1 ? `The plan ${listed(names)} will be gone.` : `The plans ${listed(names)} will be gone.`;
    await confirmed(ctx, what, `Remove ${listed(names)}?`);
    const { result, rev } = await removePlans(home, names);
    const reports = result.map(({ subject, changed }) => ({
      sentence: `${subject.name} removed.`,
      quiet: subject.name,
      json: { plan: planJson(subject, 0), changed },
    }));
    await reportChanges(ctx, "plans", reports, await awaitApplied(home, rev, `${subjects(names)} removed`, wait));
  });
