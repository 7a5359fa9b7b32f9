import { AigwError } from "../errors.ts";

/** A mail server, as `smtp-url` names it. */
export interface SmtpAddress {
  readonly host: string;
  readonly port: number;
  /** `smtps:`: TLS from the first byte. Otherwise STARTTLS. */
  readonly implicitTls: boolean;
  readonly user: string | undefined;
}

/**
 * What becomes of a mail on its way: `required` TLS with a certificate that is verified, plain only to this machine;
 * `unverified` the same with any certificate; `optional` plain where the server offers nothing better.
 */
export const SMTP_TLS_MODES = ["required", "unverified", "optional"] as const;
export type SmtpTlsMode = (typeof SMTP_TLS_MODES)[number];

const invalid = (why: string): AigwError => new AigwError("invalid_value", why);

/** @returns the URL in its stored form, which never holds a password. @throws AigwError that does not repeat one */
export const parseSmtpUrl = (value: string): string => {
  const { url, password } = readSmtpUrl(value);
  if (password === undefined) return url;
  throw invalid(
    "smtp-url holds a password, which does not belong in an argument or in the clear in the store. Leave it out (smtp://user@host:587), and: aigw config set smtp-password. Whoever typed it has it in the shell's history now.",
  );
};

/** For the environment variable, where a password may stand. */
export const smtpUrlWithoutPassword = (value: string): string => readSmtpUrl(value).url;

export const smtpPasswordIn = (value: string): string | undefined => readSmtpUrl(value).password;

export const smtpAddress = (value: string): SmtpAddress => readSmtpUrl(value).address;

const readSmtpUrl = (
  value: string,
): { readonly url: string; readonly password: string | undefined; readonly address: SmtpAddress } => {
  const refuse = (why: string): AigwError =>
    invalid(
      `smtp-url '${withoutUserInfo(value)}' is not valid: ${why}; use smtp://user@host:587 or smtps://user@host.`,
    );
  if (/\s/.test(value) || !URL.canParse(value)) throw refuse("it is not a URL");
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(value);
  if (protocol !== "smtp:" && protocol !== "smtps:") throw refuse("it is neither smtp:// nor smtps://");
  if (!/^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])$/.test(hostname))
    throw refuse("the host is not valid");
  if (/[^/]/.test(pathname) || search !== "" || hash !== "") throw refuse("leave out path, query and fragment");
  if (username === "" && password !== "") throw refuse("the user is missing");
  const user = decoded(username);
  const secret = decoded(password);
  if (user === undefined || secret === undefined) throw refuse("user and password must be percent-encoded");
  const implicitTls = protocol === "smtps:";
  return {
    url: `${protocol}//${username === "" ? "" : `${username}@`}${hostname}${port === "" ? "" : `:${port}`}`,
    password: secret === "" ? undefined : secret,
    address: {
      host: hostname.replace(/^\[|\]$/g, ""),
      port: port === "" ? (implicitTls ? 465 : 587) : Number(port),
      implicitTls,
      user: user === "" ? undefined : user,
    },
  };
};

/** Also where the scheme was forgotten. */
const withoutUserInfo = (value: string): string => value.replace(/^([a-z]+:\/\/)?[\s\S]*@/i, "$1…@");

const decoded = (part: string): string | undefined => {
  try {
    return decodeURIComponent(part);
  } catch {
    // A lone percent sign; the caller says so without repeating what may be a password.
    return undefined;
  }
};

/** 1 to 1024 characters without control characters. @throws AigwError that does not repeat the value */
export const parseSmtpPassword = (value: string): string => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (value.length >= 1 && value.length <= 1024 && !/[\u0000-\u001f\u007f]/.test(value)) return value;
  throw invalid("smtp-password is not valid: use 1 to 1024 characters on one line.");
};

export const parseSmtpTls = (value: string): SmtpTlsMode => {
  const mode = SMTP_TLS_MODES.find((known) => known === value);
  if (mode !== undefined) return mode;
  throw invalid(`smtp-tls '${value}' is not valid: use ${SMTP_TLS_MODES.join(", ")}.`);
};
