import { type AddPlanInput, addPlan } from "@aigw/core/acts";
import { parsePlanName } from "@aigw/core/plans";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { awaitApplied, reportChange } from "../../app/gateways.ts";
import { planJson } from "../../json/plan.ts";
import { need } from "../../terminal/ask.ts";
import { addFactOptions, type PlanFlags } from "./plan-options.ts";
import { factsInWords } from "./plan-words.ts";

export interface AddOptions {
  readonly input: AddPlanInput;
  readonly wait: boolean;
}

export const command = (ctx: Context): Command =>
  addFactOptions(
    describe("add", "Add a plan. Nobody is on it yet.", [
      ["aigw plan add basic --limit 60 --services ocr,chat", "what its clients may call, and how often"],
      ["aigw plan add pro --quota 'pages=500/week'", "with a quota"],
      ["aigw client set john --plan basic", "john is on it"],
    ]),
  )
    .argument("[name]", "the plan's name: a-z 0-9 . _ -")
    .usage("<name> [options]")
    .option("--no-wait", "do not wait for the gateways")
    .action(async (given: string | undefined, flags: PlanFlags & { wait: boolean }) => {
      const name = await need(ctx, given, {
        argument: "<name>",
        usage: "aigw plan add <name>",
        question: "Name of the new plan",
        parse: parsePlanName,
      });
      await run({ input: { name, ...factsOf(flags) }, wait: flags.wait }, ctx);
    });

const factsOf = ({ services, limit, quota, weight }: PlanFlags): Omit<AddPlanInput, "name"> => ({
  ...(services?.names ? { services: services.names } : {}),
  ...(limit ? { limit } : {}),
  ...(quota ? { quota } : {}),
  ...(weight ? { weight } : {}),
});

export const run = ({ input, wait }: AddOptions, ctx: Context): Promise<void> =>
  ctx.withHome("initialise", async (home) => {
    const { result: plan, rev, changed } = await addPlan(home, input);
    const facts = factsInWords(plan);
    await reportChange(ctx, {
      applied: await awaitApplied(home, rev, `${plan.name} is added`, wait),
      sentence: `${plan.name} added${facts === "" ? "" : `: ${facts}`}.`,
      quiet: plan.name,
      json: { plan: planJson(plan, 0), changed },
    });
  });
