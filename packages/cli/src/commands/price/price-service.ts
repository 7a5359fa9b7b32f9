import { AigwError } from "@aigw/core/errors";
import type { Context } from "../../app/context.ts";
import { need } from "../../terminal/ask.ts";

/** The service whose prices are meant; whether there is one of this name is for the store to say. */
export const serviceNeeded = (ctx: Context, given: string | undefined, usage: string): Promise<string> =>
  need(ctx, given, {
    argument: "<service>",
    usage,
    question: "Which service?",
    parse: (value) => value,
    choices: async () => {
      const services = await ctx.withControl(async (control) => control.services());
      if (services.length > 0) return services.map(({ name, meter }) => ({ value: name, about: meter ?? "no meter" }));
      throw new AigwError("not_found", "There is no service yet. Add one: aigw service add <name> <url>");
    },
  });
