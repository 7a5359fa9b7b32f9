import { findService } from "@aigw/core/acts";
import { targetsOf } from "@aigw/core/services";
import type { Context } from "../../app/context.ts";
import { need } from "../../terminal/ask.ts";

/** The URL of a target that a service should have; whether it does is for the store to say. */
export const existingTarget = (ctx: Context, name: string, given: string | undefined): Promise<string> =>
  need(ctx, given, {
    argument: "<url>",
    usage: "aigw service drain <name> <url>",
    question: "Which target?",
    parse: (value) => value,
    choices: () =>
      ctx.withControl(async (control) =>
        targetsOf(await findService(control, name)).map(({ url, drained }) => ({
          value: url,
          about: drained ? "drained" : "",
        })),
      ),
  });
