import { parseSettingKey, SETTING_KEYS, type SettingKey } from "@aigw/core/config";
import type { Context } from "../../app/context.ts";
import { need } from "../../terminal/ask.ts";

export const neededKey = (ctx: Context, given: string | undefined, usage: string): Promise<SettingKey> =>
  need(ctx, given, {
    argument: "<key>",
    usage,
    question: `Which setting? (${SETTING_KEYS.join(", ")})`,
    parse: parseSettingKey,
  });
