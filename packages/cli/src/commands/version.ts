import type { Command } from "commander";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { readVersion } from "../app/version.ts";

export const command = (ctx: Context): Command =>
  describe("version", "Print the version, as --version does.", [
    ["aigw version", "the number alone"],
    ["aigw version --json | jq -r .version", "in a script"],
  ]).action(() => run(ctx));

export const run = (ctx: Context): Promise<void> => {
  const version = readVersion();
  return ctx.out.answer({ json: () => ({ version }), quiet: () => version, text: () => version });
};
