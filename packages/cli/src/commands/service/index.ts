import type { Command } from "commander";
import { noun } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";

export const command = (ctx: Context, argv: readonly string[]): Promise<Command> =>
  noun(ctx, argv, {
    name: "service",
    about: "Services and the upstreams behind them.",
    examples: [
      ["aigw service add ocr http://127.0.0.1:9000", "clients reach it as /api/ocr"],
      ["aigw service list", "all of them"],
    ],
    verbs: {
      add: () => import("./add.ts"),
      list: () => import("./list.ts"),
      show: () => import("./show.ts"),
      set: () => import("./set.ts"),
      meter: () => import("./meter.ts"),
      test: () => import("./test.ts"),
      drain: () => import("./drain.ts"),
      disable: () => import("./disable.ts"),
      enable: () => import("./enable.ts"),
      remove: () => import("./remove.ts"),
    },
  });
