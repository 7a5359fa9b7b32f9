export { parseCorsOrigins, parseServiceCors } from "./cors-origins.ts";
export {
  type EffectiveSetting,
  effectiveSetting,
  isPlainHttp,
  openSetting,
  parseSettingKey,
  SETTING_DEFAULTS,
  SETTING_KEYS,
  SETTINGS,
  type SettingKey,
  type SettingSource,
} from "./settings.ts";
export { parseSmtpTls, type SmtpAddress, type SmtpTlsMode, smtpAddress, smtpPasswordIn } from "./smtp.ts";
export { parseTimezone, UTC } from "./timezone.ts";
export { type Network, parseTrustProxy, TRUST_NOBODY, trustedNetworks } from "./trusted-proxies.ts";
