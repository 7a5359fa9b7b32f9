import type { Context } from "../../app/context.ts";
import { serviceChoices } from "../../app/service-choices.ts";
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

const choicesIn = (ctx: Context): Promise<readonly Choice[]> => serviceChoices(ctx, ({ url }) => url);
