import { AigwError } from "@aigw/core/errors";
import type { Context } from "../../app/context.ts";
import { need, needSeveral } from "../../terminal/ask.ts";
import type { Choice } from "../../terminal/prompter.ts";

/** The name of a service that should exist; whether it does is for the store to say. */
export const existingName = (ctx: Context, given: string | undefined, verb: string): Promise<string> =>
  need(ctx, given, {
    argument: "<name>",
    usage: `aigw service ${verb} <name>`,
    question: "Which service?",
    parse: (value) => value,
    choices: () => choicesIn(ctx),
  });

/** One or more of them, each once. */
export const existingNames = (ctx: Context, given: readonly string[], verb: string): Promise<readonly string[]> =>
  needSeveral(ctx, given, {
    argument: "<name>",
    usage: `aigw service ${verb} <name>…`,
    question: "Which services?",
    choices: () => choicesIn(ctx),
  });

/** @throws AigwError `not_found` when there is none */
const choicesIn = async (ctx: Context): Promise<readonly Choice[]> => {
  const services = await ctx.withControl(async (control) => control.services());
  if (services.length > 0) return services.map(({ name, url }) => ({ value: name, about: url }));
  throw new AigwError("not_found", "There is no service yet. Add one: aigw service add <name> <url>");
};
