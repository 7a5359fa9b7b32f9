import type { Sealer } from "@aigw/core";
import {
  type EffectiveSetting,
  openSetting,
  parseSmtpTls,
  type SettingKey,
  smtpAddress,
  smtpPasswordIn,
} from "@aigw/core/config";
import { AigwError } from "@aigw/core/errors";
import { parseDuration } from "@aigw/core/services";
import type { Context } from "../../app/context.ts";

/** A mail server with all that is needed to use it. */
export interface SmtpServer {
  readonly host: string;
  readonly port: number;
  readonly implicitTls: boolean;
  readonly user: string | undefined;
  /** In the clear. */
  readonly password: string | undefined;
  readonly tls: { readonly required: boolean; readonly verified: boolean };
  /** For one message, from the look-up of the host to the last answer, milliseconds. */
  readonly timeoutMs: number;
}

/** @throws AigwError `invalid_value` that says which setting is missing */
export const smtpServerOf = (
  ctx: Pick<Context, "env">,
  settings: Readonly<Record<SettingKey, EffectiveSetting>>,
  sealer: Sealer,
): SmtpServer => {
  const url = settings["smtp-url"].value;
  if (url === undefined) {
    throw missing(
      "smtp-url is not set, so nothing can be sent. Set it: aigw config set smtp-url smtp://user@host:587; or write the message to a file with --eml",
    );
  }
  const address = smtpAddress(url);
  const password = passwordOf(ctx, settings, sealer);
  if (address.user !== undefined && password === undefined) {
    throw missing(
      `smtp-url names the user ${address.user}, but there is no password. Set it: aigw config set smtp-password; or AIGW_SMTP_PASSWORD`,
    );
  }
  if (address.user === undefined && settings["smtp-password"].source === "environment") {
    throw missing("AIGW_SMTP_PASSWORD is set, but smtp-url names no user: smtp://user@host:587");
  }
  const mode = parseSmtpTls(settings["smtp-tls"].value ?? "required");
  return {
    ...address,
    password: address.user === undefined ? undefined : password,
    tls: { required: mode !== "optional" && !isLoopback(address.host), verified: mode !== "unverified" },
    timeoutMs: parseDuration("smtp-timeout", settings["smtp-timeout"].value ?? "30s"),
  };
};

/**
 * The environment before the store. The stored password belongs to the stored smtp-url: a server that the environment
 * names does not get it.
 */
const passwordOf = (
  { env }: Pick<Context, "env">,
  settings: Readonly<Record<SettingKey, EffectiveSetting>>,
  sealer: Sealer,
): string | undefined => {
  const { value, source } = settings["smtp-password"];
  if (source === "environment") return value;
  if (settings["smtp-url"].source === "environment") return smtpPasswordIn(env["AIGW_SMTP_URL"] ?? "");
  return value === undefined ? undefined : openSetting(sealer, value);
};

const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|::1)$/i.test(host);

const missing = (why: string): AigwError => new AigwError("invalid_value", `${why}.`);
