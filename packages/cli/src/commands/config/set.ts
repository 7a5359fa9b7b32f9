import { setSetting } from "@aigw/core/acts";
import { SETTINGS, type SettingKey } from "@aigw/core/config";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { warnOfPlainHttp } from "../../app/settings.ts";
import { need } from "../../terminal/ask.ts";
import { prose } from "../../terminal/output/wrap.ts";
import { readPassword } from "../../terminal/secret-input.ts";
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
    ["aigw config set smtp-password", "asks without an echo, and seals the answer"],
    ["pass show smtp | aigw config set smtp-password --value-stdin", "the same in a script"],
  ])
    .argument("[key]", "the setting; see: aigw config list")
    .argument("[value]", "its value")
    .usage("<key> <value>")
    .option("--value-stdin", "take the value of a secret setting from standard input", false)
    .action(async (givenKey: string | undefined, givenValue: string | undefined, flags: { valueStdin: boolean }) => {
      const key = await neededKey(ctx, givenKey, USAGE);
      if (SETTINGS[key].secret === true) {
        await run({ key, value: await secretValue(ctx, key, givenValue, flags.valueStdin) }, ctx);
        return;
      }
      if (flags.valueStdin) throw new UsageError(`${key} is no secret: give its value as an argument. Use: ${USAGE}`);
      const { values } = SETTINGS[key];
      const value = await need(ctx, givenValue, {
        ...(values !== undefined && { choices: async () => values.map((known) => ({ value: known })) }),
        argument: "<value>",
        usage: USAGE,
        question: `${key}: ${SETTINGS[key].about}`,
        parse: SETTINGS[key].parse,
      });
      await run({ key, value }, ctx);
    });

/** What is typed as an argument is in the shell's history, and everybody on the machine can read it meanwhile. */
const secretValue = (ctx: Context, key: SettingKey, given: string | undefined, stdin: boolean): Promise<string> => {
  if (given !== undefined) {
    throw new UsageError(
      `${key} never comes in as an argument. Use: aigw config set ${key}, which asks; or --value-stdin. Whoever typed it has it in the shell's history now.`,
    );
  }
  if (!stdin && !ctx.interactive) {
    throw new UsageError(`There is no terminal to ask for ${key} on. Pipe it in: aigw config set ${key} --value-stdin`);
  }
  return readPassword(ctx, "--value-stdin", key);
};

export const run = ({ key, value }: SetOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { result, rev, changed } = await setSetting(home, key, value);
    const secret = SETTINGS[key].secret === true;
    const shown = secret ? "sealed in the store" : result;
    await ctx.out.answer({
      json: () => ({ setting: { key, value: secret ? null : result }, changed, rev }),
      quiet: () => (secret ? key : result),
      text: (view) => prose(view, `${key} is ${shown} ${changed ? "now" : "already"}.`),
    });
    if (key === "public-url") await warnOfPlainHttp(ctx, result);
    const { env } = SETTINGS[key];
    if (ctx.env[env]) await ctx.out.warn(`${env} is set in this environment and comes before the stored ${key}.`);
  });
