import type { Command } from "commander";
import { noun } from "../../command.ts";
import type { Context } from "../../context.ts";
import * as add from "./add.ts";
import * as list from "./list.ts";
import * as remove from "./remove.ts";
import * as set from "./set.ts";
import * as show from "./show.ts";

export const command = (ctx: Context): Command =>
  noun(
    "service",
    "Services and the upstreams behind them.",
    [
      ["aigw service add ocr http://127.0.0.1:9000", "clients reach it as /api/ocr"],
      ["aigw service list", "all of them"],
    ],
    [add, list, show, set, remove].map((verb) => verb.command(ctx)),
  );
