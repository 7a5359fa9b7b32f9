import type { Command } from "commander";
import { noun } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";

export const command = (ctx: Context, argv: readonly string[]): Promise<Command> =>
  noun(ctx, argv, {
    name: "secret",
    about: "The secret that signs the tokens. It never leaves the store.",
    examples: [
      ["aigw secret rotate --grace 60m", "a new secret, and nobody is cut off"],
      ["aigw secret list", "the keys and where they stand"],
    ],
    verbs: {
      rotate: () => import("./rotate.ts"),
      list: () => import("./list.ts"),
    },
  });
