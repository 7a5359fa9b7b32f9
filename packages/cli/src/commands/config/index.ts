import type { Command } from "commander";
import { noun } from "../../command.ts";
import type { Context } from "../../context.ts";
import * as list from "./list.ts";
import * as set from "./set.ts";
import * as unset from "./unset.ts";

export const command = (ctx: Context): Command =>
  noun(
    "config",
    "Settings that are stored. An environment variable comes before a stored setting.",
    [
      ["aigw config set public-url https://ai.example.com", "the address that clients use"],
      ["aigw config list", "every setting, and where its value is from"],
    ],
    [list, set, unset].map((verb) => verb.command(ctx)),
  );
