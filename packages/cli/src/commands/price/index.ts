import type { Command } from "commander";
import { noun } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";

export const command = (ctx: Context, argv: readonly string[]): Promise<Command> =>
  noun(ctx, argv, {
    name: "price",
    about: "What the calls of a service cost, by what its meter reads. A change leaves what was recorded as it is.",
    examples: [
      ["aigw price set ocr pages=0.01", "each page"],
      ["aigw price list", "all of them"],
    ],
    verbs: {
      set: () => import("./set.ts"),
      list: () => import("./list.ts"),
      remove: () => import("./remove.ts"),
    },
  });
