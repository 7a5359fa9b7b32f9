import type { Command } from "commander";
import { noun } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";

export const command = (ctx: Context, argv: readonly string[]): Promise<Command> =>
  noun(ctx, argv, {
    name: "config",
    about: "Settings that are stored. An environment variable comes before a stored setting.",
    examples: [
      ["aigw config set public-url https://ai.example.com", "the address that clients use"],
      ["aigw config get public-url", "the value in force"],
      ["aigw config list", "every setting, and where its value is from"],
    ],
    verbs: {
      get: () => import("./get.ts"),
      list: () => import("./list.ts"),
      set: () => import("./set.ts"),
      unset: () => import("./unset.ts"),
    },
  });
