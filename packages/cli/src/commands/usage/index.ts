import type { Command } from "commander";
import { noun } from "../../command.ts";
import type { Context } from "../../context.ts";
import * as tail from "./tail.ts";

export const command = (ctx: Context): Command =>
  noun(
    "usage",
    "Who called what, and how it ended.",
    [
      ["aigw usage tail -f", "watch the calls come in"],
      ["aigw usage tail --client john --status 4xx", "john's refused calls"],
    ],
    [tail.command(ctx)],
  );
