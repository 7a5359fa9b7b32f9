import type { Context } from "../../app/context.ts";
import { need } from "../../terminal/ask.ts";

/** The name of a service that should exist; whether it does is for the store to say. */
export const existingName = (ctx: Context, given: string | undefined, verb: string): Promise<string> =>
  need(ctx, given, {
    argument: "<name>",
    usage: `aigw service ${verb} <name>`,
    question: "Which service?",
    parse: (value) => value,
  });
