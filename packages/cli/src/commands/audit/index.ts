import type { Command } from "commander";
import { noun } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";

export const command = (ctx: Context, argv: readonly string[]): Promise<Command> =>
  noun(ctx, argv, {
    name: "audit",
    about: "Who changed what, and when.",
    examples: [
      ["aigw audit list", "the last 50 changes"],
      ["aigw audit list --subject john", "what was done to john"],
    ],
    verbs: {
      list: () => import("./list.ts"),
    },
  });
