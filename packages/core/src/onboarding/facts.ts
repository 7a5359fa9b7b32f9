import type { Client } from "../clients/client.ts";
import { type EffectiveSetting, effectiveSetting, SETTING_KEYS, type SettingKey } from "../config/settings.ts";
import { mayCall, type Terms } from "../plans/terms.ts";
import type { Service } from "../services/service.ts";

/** All that may be told to a client. Nothing else of the store can get into what is rendered from it. */
export interface OnboardingFacts {
  /** The display name, or the username where there is none. */
  readonly greetingName: string;
  readonly username: string;
  readonly password: string;
  /** Without a trailing slash. */
  readonly publicUrl: string;
  readonly guideUrl: string;
  /** Names of the services this client may call, ascending. */
  readonly services: readonly string[];
  /** What is said of them, by name. */
  readonly descriptions?: Readonly<Record<string, string>>;
  readonly limitPerMinute: number;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined;
  readonly supportEmail: string | undefined;
  readonly senderName: string | undefined;
}

export const onboardingFacts = (
  client: Client,
  password: string,
  services: readonly Service[],
  settings: Readonly<Record<SettingKey, EffectiveSetting>>,
  terms: Terms,
): OnboardingFacts => {
  const publicUrl = settings["public-url"].value ?? "";
  return {
    greetingName: client.displayName ?? client.name,
    username: client.name,
    password,
    publicUrl,
    guideUrl: settings["docs-url"].value ?? `${publicUrl}/guide`,
    services: services.map((service) => service.name).filter((name) => mayCall(terms, name)),
    descriptions: Object.fromEntries(
      services.flatMap(({ name, description }) => (description === undefined ? [] : [[name, description]])),
    ),
    limitPerMinute: terms.limit,
    expiresAt: client.expiresAt,
    supportEmail: settings["support-email"].value,
    senderName: settings["sender-name"].value,
  };
};

/** Every setting as it is in force; see {@link effectiveSetting}. */
export const effectiveSettings = (
  stored: ReadonlyMap<SettingKey, string>,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<SettingKey, EffectiveSetting>> =>
  Object.fromEntries(SETTING_KEYS.map((key) => [key, effectiveSetting(key, stored, env)])) as Record<
    SettingKey,
    EffectiveSetting
  >;
