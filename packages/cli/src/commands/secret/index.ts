import type { Command } from "commander";
import { noun } from "../../command.ts";
import type { Context } from "../../context.ts";
import * as list from "./list.ts";
import * as rotate from "./rotate.ts";

export const command = (ctx: Context): Command =>
  noun(
    "secret",
    "The secret that signs the tokens. It never leaves the store.",
    [
      ["aigw secret rotate --grace 60m", "a new secret, and nobody is cut off"],
      ["aigw secret list", "the keys and where they stand"],
    ],
    [rotate, list].map((verb) => verb.command(ctx)),
  );
