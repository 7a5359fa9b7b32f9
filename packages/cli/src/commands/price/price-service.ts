import type { Context } from "../../app/context.ts";
import { serviceChoices } from "../../app/service-choices.ts";
import { need } from "../../terminal/ask.ts";

/** The service whose prices are meant; whether there is one of this name is for the store to say. */
export const serviceNeeded = (ctx: Context, given: string | undefined, usage: string): Promise<string> =>
  need(ctx, given, {
    argument: "<service>",
    usage,
    question: "Which service?",
    parse: (value) => value,
    choices: () => serviceChoices(ctx, ({ meter }) => meter ?? "no meter"),
  });
