import type { Command } from "commander";
import { noun } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";

export const command = (ctx: Context, argv: readonly string[]): Promise<Command> =>
  noun(ctx, argv, {
    name: "store",
    about: "Where everything is kept.",
    examples: [
      ["aigw store copy --to sqlite:/srv/aigw/aigw.db", "the home's store, to another place"],
      ["AIGW_STORE=mongodb://… aigw store copy --from sqlite:/old/aigw.db", "any other, to a server"],
    ],
    verbs: {
      copy: () => import("./copy.ts"),
    },
  });
