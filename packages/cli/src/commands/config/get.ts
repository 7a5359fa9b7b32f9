import type { SettingKey } from "@aigw/core/config";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { neededKey } from "./setting-key.ts";
import { inWords, type ShownSetting, shownSettings } from "./shown-setting.ts";

export const command = (ctx: Context): Command =>
  describe("get", "Print the value of a setting that is in force; on a terminal also where it is from.", [
    ["aigw config get public-url", "the value"],
    ['curl "$(aigw config get public-url)/health"', "in a script: the value alone"],
    ["aigw config get usage-days --json | jq -r .setting.source", "environment, stored or default"],
  ])
    .argument("[key]", "the setting; see: aigw config list")
    .usage("<key>")
    .action(async (given: string | undefined) => {
      await run({ key: await neededKey(ctx, given, "aigw config get <key>") }, ctx);
    });

export const run = ({ key }: { readonly key: SettingKey }, ctx: Context): Promise<void> =>
  ctx.withControl(async (control) => {
    const [setting] = shownSettings(ctx, await control.settings()).filter((one) => one.key === key);
    if (setting === undefined) throw new TypeError(`${key} is not among the settings`);
    if (setting.secret && ctx.out.mode !== "json") {
      throw new UsageError(`${key} is never shown. Whether it is set: aigw config list`);
    }
    await ctx.out.answer({
      json: () => ({ setting }),
      quiet: () => setting.value ?? "",
      text: () => setting.value ?? "",
    });
    if (ctx.io.stdout.isTTY === true) await ctx.out.note(whereFrom(setting));
  });

const whereFrom = (setting: ShownSetting): string => {
  const { key, value, source, env, flag } = setting;
  const over = flag === null ? "" : ` ${flag} comes before it.`;
  if (source === "environment") return `From the environment: ${env}.${over}`;
  if (source === "stored") return `Stored: aigw config set ${key}.${over}`;
  return value === null ? `${key} is not set: ${inWords(setting)}.${over}` : `The default.${over}`;
};
