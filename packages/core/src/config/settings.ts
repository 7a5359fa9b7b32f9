import { parseEmail, parseLine } from "../clients/parse-client.ts";
import { AigwError } from "../errors.ts";

/** A stored setting: how it is checked, what it is for, which environment variable overrides it. */
export interface SettingRule {
  readonly env: string;
  readonly about: string;
  readonly parse: (value: string) => string;
}

/** Every stored setting. */
export type SettingKey = "public-url" | "support-email" | "sender-name" | "docs-url";

/** docs/configuration.md and `aigw config list` are derived from or checked against this table. */
export const SETTINGS: Readonly<Record<SettingKey, SettingRule>> = {
  "public-url": {
    env: "AIGW_PUBLIC_URL",
    about: "the base URL that clients use, such as https://ai.example.com",
    parse: (value) => parseHttpUrl("public-url", value),
  },
  "support-email": {
    env: "AIGW_SUPPORT_EMAIL",
    about: "the address in onboarding e-mails that clients turn to",
    parse: (value) => parseEmail(value),
  },
  "sender-name": {
    env: "AIGW_SENDER_NAME",
    about: "the name that onboarding e-mails are signed with",
    parse: (value) => parseLine("sender-name", value, 100),
  },
  "docs-url": {
    env: "AIGW_DOCS_URL",
    about: "the client guide's address; unset, the gateway's own /guide",
    parse: (value) => parseHttpUrl("docs-url", value),
  },
};

export const SETTING_KEYS: readonly SettingKey[] = Object.keys(SETTINGS) as SettingKey[];

export const DEFAULT_PUBLIC_URL = "http://127.0.0.1:8080";

export const parseSettingKey = (key: string): SettingKey => {
  if (Object.hasOwn(SETTINGS, key)) return key as SettingKey;
  throw new AigwError("invalid_value", `There is no setting '${key}'. Settings are: ${SETTING_KEYS.join(", ")}.`);
};

/** @returns the value in its stored form. @throws AigwError `invalid_value` */
export const parseSetting = (key: SettingKey, value: string): string => SETTINGS[key].parse(value);

export type SettingSource = "environment" | "stored" | "default";

export interface EffectiveSetting {
  readonly value: string | undefined;
  readonly source: SettingSource;
}

/** Environment before stored before default; an environment value is checked like any other. */
export const effectiveSetting = (
  key: SettingKey,
  stored: ReadonlyMap<SettingKey, string>,
  env: Readonly<Record<string, string | undefined>>,
): EffectiveSetting => {
  const fromEnv = env[SETTINGS[key].env];
  if (fromEnv !== undefined && fromEnv !== "") return { value: parseSetting(key, fromEnv), source: "environment" };
  const value = stored.get(key);
  if (value !== undefined) return { value, source: "stored" };
  return { value: key === "public-url" ? DEFAULT_PUBLIC_URL : undefined, source: "default" };
};

/** True when credentials would cross a network in the clear: plain http to anything but this machine. */
export const isPlainHttp = (publicUrl: string): boolean => {
  const url = new URL(publicUrl);
  return url.protocol === "http:" && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
};

const parseHttpUrl = (what: string, value: string): string => {
  if (URL.canParse(value)) {
    const url = new URL(value);
    const bare = url.username === "" && url.password === "" && url.search === "" && url.hash === "";
    if ((url.protocol === "http:" || url.protocol === "https:") && bare && !/["'`$\\\s]/.test(value)) {
      return url.href.replace(/\/+$/, "");
    }
  }
  throw new AigwError(
    "invalid_value",
    `${what} '${value}' is not valid: use an http:// or https:// URL without user, query or fragment.`,
  );
};
