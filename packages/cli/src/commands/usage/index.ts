import type { Command } from "commander";
import { noun } from "../../command.ts";
import type { Context } from "../../context.ts";
import * as exporting from "./export.ts";
import * as prune from "./prune.ts";
import * as report from "./report.ts";
import * as tail from "./tail.ts";

export const command = (ctx: Context): Command =>
  noun(
    "usage",
    "Who called what, and how it ended.",
    [
      ["aigw usage tail -f", "watch the calls come in"],
      ["aigw usage tail --client john --status 4xx", "john's refused calls"],
      ["aigw usage report --by service", "the last 24 hours, summed up"],
    ],
    [tail, report, exporting, prune].map((verb) => verb.command(ctx)),
  );
