import { AigwError } from "@aigw/core/errors";
import type { Context } from "../../app/context.ts";
import { need, needSeveral } from "../../terminal/ask.ts";
import type { Choice } from "../../terminal/prompter.ts";
import { factsInWords } from "./plan-words.ts";

/** The name of a plan that should exist; whether it does is for the store to say. */
export const existingName = (ctx: Context, given: string | undefined, verb: string): Promise<string> =>
  need(ctx, given, {
    argument: "<name>",
    usage: `aigw plan ${verb} <name>`,
    question: "Which plan?",
    parse: (value) => value,
    choices: () => choicesIn(ctx),
  });

/** One or more of them, each once. */
export const existingNames = (ctx: Context, given: readonly string[], verb: string): Promise<readonly string[]> =>
  needSeveral(ctx, given, {
    argument: "<name>",
    usage: `aigw plan ${verb} <name>…`,
    question: "Which plans?",
    choices: () => choicesIn(ctx),
  });

/** @throws AigwError `not_found` when there is none */
const choicesIn = async (ctx: Context): Promise<readonly Choice[]> => {
  const plans = await ctx.withControl(async (control) => control.plans());
  if (plans.length > 0) return plans.map((plan) => ({ value: plan.name, about: factsInWords(plan) }));
  throw new AigwError("not_found", "There is no plan yet. Add one: aigw plan add <name>");
};
