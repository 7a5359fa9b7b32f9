import { parseSettingKey, SETTING_KEYS, SETTINGS, type SettingKey } from "@aigw/core/config";
import { AigwError } from "@aigw/core/errors";
import type { Context } from "../../app/context.ts";
import { need, needSeveral } from "../../terminal/ask.ts";
import type { Choice } from "../../terminal/prompter.ts";

export const neededKey = (ctx: Context, given: string | undefined, usage: string): Promise<SettingKey> =>
  need(ctx, given, {
    argument: "<key>",
    usage,
    question: "Which setting?",
    parse: parseSettingKey,
    choices: async () => choicesAmong(SETTING_KEYS),
  });

/** One or more of them, each once. */
export const neededKeys = async (
  ctx: Context,
  given: readonly string[],
  usage: string,
): Promise<readonly SettingKey[]> => {
  const keys = await needSeveral(ctx, given, {
    argument: "<key>",
    usage,
    question: "Which settings?",
    choices: async () => {
      const stored = await ctx.withControl(async (control) => control.settings());
      if (stored.size > 0) return choicesAmong([...stored.keys()]);
      throw new AigwError("not_found", "No setting is stored.");
    },
  });
  return keys.map(parseSettingKey);
};

const choicesAmong = (keys: readonly SettingKey[]): readonly Choice[] =>
  keys.map((key) => ({ value: key, about: SETTINGS[key].about }));
