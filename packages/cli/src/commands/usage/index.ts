import type { Command } from "commander";
import { noun } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";

export const command = (ctx: Context, argv: readonly string[]): Promise<Command> =>
  noun(ctx, argv, {
    name: "usage",
    about: "Who called what, and how it ended.",
    examples: [
      ["aigw usage tail -f", "watch the calls come in"],
      ["aigw usage tail --client john --status 4xx", "john's refused calls"],
      ["aigw usage report --by service", "the last 24 hours, summed up"],
    ],
    verbs: {
      tail: () => import("./tail.ts"),
      report: () => import("./report.ts"),
      bill: () => import("./bill.ts"),
      export: () => import("./export.ts"),
      verify: () => import("./verify.ts"),
      prune: () => import("./prune.ts"),
    },
  });
