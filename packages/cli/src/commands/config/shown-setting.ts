import { type EffectiveSetting, SETTING_KEYS, SETTINGS, type SettingKey, type SettingSource } from "@aigw/core/config";
import { NO_SENDER_NAME, NO_SUPPORT_ADDRESS } from "@aigw/core/onboarding";
import type { Context } from "../../app/context.ts";
import { settingsInForce } from "../../app/settings.ts";

/** A setting as it is in force, for people and scripts. */
export interface ShownSetting {
  readonly key: SettingKey;
  /** Null: there is none, or it is a secret. */
  readonly value: string | null;
  readonly secret: boolean;
  readonly source: SettingSource;
  readonly env: string;
  /** A flag that comes before all of these where it is given, such as `aigw serve --trust-proxy`; null: none. */
  readonly flag: string | null;
  readonly about: string;
}

/** Every setting, also where only a default is in force. */
export const shownSettings = (ctx: Context, stored: ReadonlyMap<SettingKey, string>): readonly ShownSetting[] => {
  const inForce = settingsInForce(ctx, stored);
  return SETTING_KEYS.map((key) => {
    const { env, about, secret = false } = SETTINGS[key];
    // Not even the sealed form of a secret is shown; that there is one, `source` says.
    const value = secret ? null : (inForce[key].value ?? DERIVED[key]?.(inForce) ?? null);
    return { key, value, secret, source: inForce[key].source, env, flag: FLAGS[key] ?? null, about };
  });
};

type InForce = Readonly<Record<SettingKey, EffectiveSetting>>;

/** What is in force where nothing is set, and depends on other settings. */
const DERIVED: Readonly<Partial<Record<SettingKey, (inForce: InForce) => string | undefined>>> = {
  "docs-url": (inForce) => `${inForce["public-url"].value}/guide`,
  "mail-from": (inForce) => inForce["support-email"].value,
  "sender-name": () => NO_SENDER_NAME,
};

/** What happens without a value. */
const WITHOUT: Readonly<Partial<Record<SettingKey, string>>> = {
  "cors-origins": "none",
  "support-email": `none: "${NO_SUPPORT_ADDRESS}"`,
  template: "none: aigw's own text",
  "mail-from": "none: nothing is sent",
};

const FLAGS: Readonly<Partial<Record<SettingKey, string>>> = {
  template: "aigw onboard --template",
  "trust-proxy": "aigw serve --trust-proxy",
};

/** For people: never empty. */
export const inWords = ({ key, value, secret, source }: ShownSetting): string =>
  secret && source !== "default" ? "(set, not shown)" : (value ?? WITHOUT[key] ?? "none");
