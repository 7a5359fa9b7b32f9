import { SETTINGS, type SettingKey, setSetting } from "@aigw/core";
import type { Command } from "commander";
import { need } from "../../ask.ts";
import { describe } from "../../command.ts";
import type { Context } from "../../context.ts";
import { warnOfPlainHttp } from "../../settings.ts";
import { neededKey } from "./setting-key.ts";

export interface SetOptions {
  readonly key: SettingKey;
  readonly value: string;
}

const USAGE = "aigw config set <key> <value>";

export const command = (ctx: Context): Command =>
  describe("set", "Store a setting.", [
    ["aigw config set public-url https://ai.example.com", "the address that clients use"],
    ["aigw config set support-email help@example.com", "whom clients turn to"],
  ])
    .argument("[key]", "the setting; see: aigw config list")
    .argument("[value]", "its value")
    .usage("<key> <value>")
    .action(async (givenKey: string | undefined, givenValue: string | undefined) => {
      const key = await neededKey(ctx, givenKey, USAGE);
      const value = await need(ctx, givenValue, {
        argument: "<value>",
        usage: USAGE,
        question: `${key}: ${SETTINGS[key].about}`,
        parse: SETTINGS[key].parse,
      });
      await run({ key, value }, ctx);
    });

export const run = ({ key, value }: SetOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { result, rev, changed } = await setSetting(home, key, value);
    await ctx.out.answer({
      json: () => ({ setting: { key, value: result }, changed, rev }),
      quiet: () => result,
      text: () => (changed ? `${key} is ${result} now.` : `${key} is ${result} already.`),
    });
    if (key === "public-url") await warnOfPlainHttp(ctx, result);
    const { env } = SETTINGS[key];
    if (ctx.env[env]) await ctx.out.warn(`${env} is set in this environment and comes before the stored ${key}.`);
  });
