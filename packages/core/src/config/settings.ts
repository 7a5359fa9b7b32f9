import { isAbsolute } from "node:path";
import { parseEmail, parseLine } from "../clients/parse-client.ts";
import { didYouMean } from "../did-you-mean.ts";
import { AigwError } from "../errors.ts";
import { parseSize } from "../jobs/job-rules.ts";
import type { Sealer } from "../sealing/sealer.ts";
import { parseDuration } from "../services/parse-service.ts";
import { parseCorsOrigins } from "./cors-origins.ts";
import { parseCurrency } from "./currency.ts";
import { redactUserInfo } from "./redact-user-info.ts";
import { parseSmtpPassword, parseSmtpTls, parseSmtpUrl, SMTP_TLS_MODES, smtpUrlWithoutPassword } from "./smtp.ts";
import { parseTimezone, UTC } from "./timezone.ts";
import { parseTrustProxy, TRUST_NOBODY } from "./trusted-proxies.ts";

/** A stored setting: how it is checked, what it is for, which environment variable overrides it. */
export interface SettingRule {
  readonly env: string;
  readonly about: string;
  readonly parse: (value: string) => string;
  /** Where a value from the environment may hold what a stored one may not: what is left of it. */
  readonly parseEnv?: (value: string) => string;
  /** All that it can be, where that is known beforehand. */
  readonly values?: readonly string[];
  /** Sealed in the store, never shown, never taken as an argument. */
  readonly secret?: true;
}

/** Every stored setting. */
export type SettingKey =
  | "public-url"
  | "cors-origins"
  | "support-email"
  | "sender-name"
  | "docs-url"
  | "template"
  | "mail-from"
  | "smtp-url"
  | "smtp-password"
  | "smtp-tls"
  | "smtp-timeout"
  | "trust-proxy"
  | "usage-days"
  | "timezone"
  | "currency"
  | "jobs-folder"
  | "jobs-per-client"
  | "jobs-client-size"
  | "jobs-size";

/** docs/configuration.md and `aigw config list` are derived from or checked against this table. */
export const SETTINGS: Readonly<Record<SettingKey, SettingRule>> = {
  "public-url": {
    env: "AIGW_PUBLIC_URL",
    about: "the base URL that clients use, such as https://ai.example.com",
    parse: (value) => parseHttpUrl("public-url", value),
  },
  "cors-origins": {
    env: "AIGW_CORS_ORIGINS",
    about: "web pages that may call from a browser: their origins, such as https://app.example.com, or *; unset, none",
    parse: parseCorsOrigins,
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
  template: {
    env: "AIGW_TEMPLATE",
    about: "the file of your own template for onboarding e-mails, an absolute path",
    parse: (value) => parseAbsolutePath("template", value),
  },
  "mail-from": {
    env: "AIGW_MAIL_FROM",
    about: "the address that onboarding e-mails come from; unset, support-email",
    parse: (value) => parseEmail(value),
  },
  "smtp-url": {
    env: "AIGW_SMTP_URL",
    about: "the mail server for --send: smtp://user@host:587 or smtps://user@host, without the password",
    parse: parseSmtpUrl,
    parseEnv: smtpUrlWithoutPassword,
  },
  "smtp-password": {
    env: "AIGW_SMTP_PASSWORD",
    about: "the password for the mail server; asked for, or read with --value-stdin, and sealed",
    parse: parseSmtpPassword,
    secret: true,
  },
  "smtp-tls": {
    env: "AIGW_SMTP_TLS",
    about: "required, unverified (any certificate) or optional (plain where the server offers no TLS)",
    parse: parseSmtpTls,
    values: SMTP_TLS_MODES,
  },
  "smtp-timeout": {
    env: "AIGW_SMTP_TIMEOUT",
    about: "how long handing one e-mail to the mail server may take",
    parse: (value) => {
      parseDuration("smtp-timeout", value);
      return value;
    },
  },
  "trust-proxy": {
    env: "AIGW_TRUST_PROXY",
    about: "proxies in front whose X-Forwarded-For is believed: addresses, networks, loopback, private; or off",
    parse: parseTrustProxy,
  },
  "usage-days": {
    env: "AIGW_USAGE_DAYS",
    about: "how many days single calls are kept; the sums of each day stay. Or: forever",
    parse: (value) => parseUsageDays(value),
  },
  timezone: {
    env: "AIGW_TIMEZONE",
    about: "where the days and months of quotas and bills begin: a name such as Europe/Berlin",
    parse: parseTimezone,
  },
  currency: {
    env: "AIGW_CURRENCY",
    about: "what prices are in, shown beside costs: EUR, USD, credits",
    parse: parseCurrency,
  },
  "jobs-folder": {
    env: "AIGW_JOBS_FOLDER",
    about:
      "where requests and answers of jobs lie, sealed: an absolute path; unset, the folder jobs in the home; one store's alone",
    parse: (value) => parseAbsolutePath("jobs-folder", value),
  },
  "jobs-per-client": {
    env: "AIGW_JOBS_PER_CLIENT",
    about: "how many jobs one client may have, those whose answers are kept among them",
    parse: (value) => parseJobCount(value),
  },
  "jobs-client-size": {
    env: "AIGW_JOBS_CLIENT_SIZE",
    about: "how much the jobs of one client may keep on the disk: 500m, 2g",
    parse: (value) => parsedSize("jobs-client-size", value),
  },
  "jobs-size": {
    env: "AIGW_JOBS_SIZE",
    about: "how much all jobs together may keep on the disk",
    parse: (value) => parsedSize("jobs-size", value),
  },
};

export const SETTING_KEYS: readonly SettingKey[] = Object.keys(SETTINGS) as SettingKey[];

export const DEFAULT_PUBLIC_URL = "http://127.0.0.1:8080";

/** What is in force where neither the environment nor the store says anything. */
export const SETTING_DEFAULTS: Readonly<Partial<Record<SettingKey, string>>> = {
  "public-url": DEFAULT_PUBLIC_URL,
  "smtp-tls": "required",
  "smtp-timeout": "30s",
  "trust-proxy": TRUST_NOBODY,
  "usage-days": "90",
  timezone: UTC,
  "jobs-per-client": "1000",
  "jobs-client-size": "2g",
  "jobs-size": "20g",
};

export const parseSettingKey = (key: string): SettingKey => {
  if (Object.hasOwn(SETTINGS, key)) return key as SettingKey;
  const guess = didYouMean(key, SETTING_KEYS);
  // What can be no setting's name may be a password that somebody typed where none belongs.
  const what = guess !== "" || /^[a-z-]{1,32}$/.test(key) ? `'${key}'` : "of that name";
  throw new AigwError(
    "invalid_value",
    `There is no setting ${what}.${guess} Settings are: ${SETTING_KEYS.join(", ")}.`,
  );
};

/** @returns the value in its stored form. @throws AigwError `invalid_value` */
export const parseSetting = (key: SettingKey, value: string): string => SETTINGS[key].parse(value);

export type SettingSource = "environment" | "stored" | "default";

export interface EffectiveSetting {
  readonly value: string | undefined;
  readonly source: SettingSource;
}

/**
 * Environment before stored before default; an environment value is checked like any other. A stored secret is sealed,
 * one from the environment is in the clear.
 */
export const effectiveSetting = (
  key: SettingKey,
  stored: ReadonlyMap<SettingKey, string>,
  env: Readonly<Record<string, string | undefined>>,
): EffectiveSetting => {
  const rule = SETTINGS[key];
  const fromEnv = env[rule.env];
  if (fromEnv !== undefined && fromEnv !== "") {
    return { value: (rule.parseEnv ?? rule.parse)(fromEnv), source: "environment" };
  }
  const value = stored.get(key);
  if (value !== undefined) return { value, source: "stored" };
  return { value: SETTING_DEFAULTS[key], source: "default" };
};

/** As {@link parseSetting} and the store know a secret setting: sealed. */
export const sealSetting = (sealer: Sealer, value: string): string =>
  sealer.seal("setting", Buffer.from(value, "utf8"));

/** @throws AigwError `master_key_wrong` */
export const openSetting = (sealer: Sealer, sealed: string): string =>
  Buffer.from(sealer.open("setting", sealed)).toString("utf8");

/** True when credentials would cross a network in the clear: plain http to anything but this machine. */
export const isPlainHttp = (publicUrl: string): boolean => {
  const url = new URL(publicUrl);
  return url.protocol === "http:" && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
};

const parseAbsolutePath = (what: string, value: string): string => {
  const path = parseLine(what, value, 4096);
  if (isAbsolute(path)) return path;
  throw new AigwError("invalid_value", `${what} '${value}' is not valid: use an absolute path.`);
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
    `${what} '${redactUserInfo(value)}' is not valid: use an http:// or https:// URL without user, query or fragment.`,
  );
};

const parseUsageDays = (value: string): string => {
  if (value === "forever" || /^[1-9]\d{0,4}$/.test(value)) return value;
  throw new AigwError(
    "invalid_value",
    `usage-days '${value}' is not valid: use a whole number of days from 1 to 99999, or forever.`,
  );
};

const parsedSize = (what: string, value: string): string => {
  parseSize(what, value);
  return value.toLowerCase();
};

const parseJobCount = (value: string): string => {
  if (/^[1-9]\d{0,4}$/.test(value)) return value;
  throw new AigwError("invalid_value", `jobs-per-client '${value}' is not valid: use a whole number from 1 to 99999.`);
};
