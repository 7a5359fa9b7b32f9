import { parseSettingKey, SETTING_KEYS, type SettingKey } from "@aigw/core/config";
import { need } from "../../ask.ts";
import type { Context } from "../../context.ts";

export const neededKey = (ctx: Context, given: string | undefined, usage: string): Promise<SettingKey> =>
  need(ctx, given, {
    argument: "<key>",
    usage,
    question: `Which setting? (${SETTING_KEYS.join(", ")})`,
    parse: parseSettingKey,
  });
