import type { Command } from "commander";
import { noun } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";

export const command = (ctx: Context, argv: readonly string[]): Promise<Command> =>
  noun(ctx, argv, {
    name: "plan",
    about:
      "What several clients have in common. What a client has of its own comes first, then its plan, then the default.",
    examples: [
      ["aigw plan add basic --limit 60 --services ocr,chat --quota 'pages=500/week'", "a plan"],
      ["aigw client set john mary --plan basic", "who is on it"],
    ],
    verbs: {
      add: () => import("./add.ts"),
      list: () => import("./list.ts"),
      show: () => import("./show.ts"),
      set: () => import("./set.ts"),
      remove: () => import("./remove.ts"),
    },
  });
