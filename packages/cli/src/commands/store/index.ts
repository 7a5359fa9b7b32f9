import type { Command } from "commander";
import { noun } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";

export const command = (ctx: Context, argv: readonly string[]): Promise<Command> =>
  noun(ctx, argv, {
    name: "store",
    about: "Where everything is kept.",
    examples: [
      ["aigw store copy --to sqlite:/srv/aigw/aigw.db", "the home's store, to another place"],
      ["aigw store copy --from sqlite:/old/aigw.db --to sqlite:/new/aigw.db", "any other"],
    ],
    verbs: {
      copy: () => import("./copy.ts"),
    },
  });
