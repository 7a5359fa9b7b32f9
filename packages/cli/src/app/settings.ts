import type { ControlStore } from "@aigw/core";
import {
  type EffectiveSetting,
  effectiveSetting,
  isPlainHttp,
  SETTING_KEYS,
  SETTINGS,
  type SettingKey,
  UTC,
} from "@aigw/core/config";
import type { Context } from "./context.ts";
import { naming } from "./flag.ts";

/** Every setting as it is in force. A value in the environment that is not valid names its variable. */
export const settingsInForce = (
  ctx: Context,
  stored: ReadonlyMap<SettingKey, string>,
): Readonly<Record<SettingKey, EffectiveSetting>> =>
  Object.fromEntries(
    SETTING_KEYS.map((key) => [key, naming(SETTINGS[key].env, () => effectiveSetting(key, stored, ctx.env))]),
  ) as Record<SettingKey, EffectiveSetting>;

/** Where days and months begin. */
export const zoneOf = async (ctx: Context, control: Pick<ControlStore, "settings">): Promise<string> =>
  settingsInForce(ctx, await control.settings()).timezone.value ?? UTC;

export const warnOfPlainHttp = async (ctx: Context, publicUrl: string): Promise<void> => {
  if (!isPlainHttp(publicUrl)) return;
  await ctx.out.warn(
    `${publicUrl} is plain http: passwords and tokens cross the network in the clear. Put TLS in front, and: aigw config set public-url https://…`,
  );
};
