import { type PlanPatch, setPlan } from "@aigw/core/acts";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { planJson } from "../../json/plan.ts";
import { counted } from "../../terminal/output/words.ts";
import { existingName } from "./plan-name.ts";
import { addFactOptions, type PlanFlags, patchOf } from "./plan-options.ts";

export interface SetOptions {
  readonly name: string;
  readonly patch: PlanPatch;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  addFactOptions(
    describe("set", "Change a plan: in force for every client of it within a second, save for what is its own.", [
      ["aigw plan set basic --limit 120", "twice as often"],
      ["aigw plan set basic --services ocr,chat,tts --no-quota", "one more service, and no quota"],
    ]),
  )
    .argument("[name]", "the plan's name")
    .usage("<name> [options]")
    .optionsGroup("What it says:")
    .option("--no-limit", "nothing of the limit: the default counts")
    .option("--no-quota", "no quota")
    .option("--no-weight", "nothing of the weight: 1 counts")
    .optionsGroup("Options:")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, flags: PlanFlags & { wait: boolean }) => {
      const patch = patchOf(flags);
      const name = await existingName(ctx, given, "set");
      if (Object.keys(patch).length === 0) {
        throw new UsageError("There is nothing to change. Give an option such as --limit; see: aigw plan set --help");
      }
      await run({ name, patch, wait: flags.wait }, ctx);
    });

export const run = ({ name, patch, wait }: SetOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { result, rev, changed } = await setPlan(home, name, patch);
    const { plan, clients } = result;
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `${name} is changed`, wait),
      sentence: changed
        ? `${name} changed, for ${counted(clients.length, "client")}.`
        : `${name} is like that already.`,
      quiet: name,
      json: { plan: planJson(plan, clients.length), clients, changed },
    });
  });
