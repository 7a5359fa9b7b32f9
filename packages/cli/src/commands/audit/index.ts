import type { Command } from "commander";
import { noun } from "../../command.ts";
import type { Context } from "../../context.ts";
import * as list from "./list.ts";

export const command = (ctx: Context): Command =>
  noun(
    "audit",
    "Who changed what, and when.",
    [
      ["aigw audit list", "the last 50 changes"],
      ["aigw audit list --subject john", "what was done to john"],
    ],
    [list.command(ctx)],
  );
