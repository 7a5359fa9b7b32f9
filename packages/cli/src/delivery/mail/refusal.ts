import type { SmtpServer } from "./smtp-server.ts";

/** Why a message was not taken. */
export interface Refusal {
  readonly kind: "refused";
  /** For people: what happened, what the server said, what to do about it. */
  readonly why: string;
  /** True when the next message would meet the same. */
  readonly everyMessage: boolean;
}

/** @param late our own bound was reached */
export const refusalOf = (error: unknown, server: SmtpServer, late: boolean): Refusal => {
  const { host, port, timeoutMs } = server;
  const at = `${host}:${port}`;
  const every = (why: string): Refusal => ({ kind: "refused", why: redacted(why, server), everyMessage: true });
  const code = late ? "ETIMEDOUT" : text(error, "code");
  const said = saidBy(error);
  switch (code) {
    case "ETIMEDOUT":
    case "EABORT":
      return every(`${at} took longer than ${timeoutMs / 1000} s; check smtp-url, or set a longer smtp-timeout`);
    case "EDNS":
      return every(`there is no host ${host}; check smtp-url`);
    case "EAUTH":
    case "ENOAUTH":
      return every(`${at} refused the login${said}; check the user in smtp-url, and: aigw config set smtp-password`);
    case "ETLS":
    case "ESOCKET":
    case "ECONNECTION":
      return every(`${connectionProblem(error, server)}${said}`);
    case "EENVELOPE": {
      const sender = /^(MAIL FROM|EHLO|HELO|API)/.test(text(error, "command") ?? "");
      const why = sender
        ? `${at} refused the sender${said}; which address may it be? aigw config set mail-from <address>`
        : `${at} refused the recipient${said}`;
      return { kind: "refused", why: redacted(why, server), everyMessage: sender };
    }
    default:
      return { kind: "refused", why: redacted(`${at} did not take it${said}`, server), everyMessage: false };
  }
};

const connectionProblem = (error: unknown, { host, port, implicitTls }: SmtpServer): string => {
  const at = `${host}:${port}`;
  const codes = codesOf(error);
  const has = (...wanted: readonly string[]): boolean => wanted.some((code) => codes.includes(code));
  if (
    has(
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "SELF_SIGNED_CERT_IN_CHAIN",
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    )
  ) {
    return `the certificate of ${at} is not one that this machine trusts (${codes[0]}). Name its authority in NODE_EXTRA_CA_CERTS, or take any certificate: aigw config set smtp-tls unverified`;
  }
  if (has("CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID", "ERR_TLS_CERT_ALTNAME_INVALID")) {
    return `the certificate of ${at} is not valid for it (${codes[0]}). Check the host in smtp-url, or take any certificate: aigw config set smtp-tls unverified`;
  }
  if (has("ECONNREFUSED")) return `nobody listens at ${at}; check smtp-url`;
  if (has("ENOTFOUND", "EAI_AGAIN")) return `there is no host ${host}; check smtp-url`;
  if (codes.some((code) => code.startsWith("ERR_SSL_"))) {
    const other = implicitTls ? `smtp://…@${at}` : `smtps://…@${at}`;
    return `${at} does not speak TLS in this way (${codes[0]}); is it ${other}?`;
  }
  if (has("ETLS")) {
    return `${at} offers no TLS, without which the password would cross the network in the clear. To allow it: aigw config set smtp-tls optional`;
  }
  return `the connection to ${at} was lost (${codes[0] ?? "no reason given"})`;
};

/** The codes of an error and its causes, the innermost first. */
const codesOf = (error: unknown): readonly string[] => {
  const codes: string[] = [];
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    // nodemailer puts its own code in the place of the system's, and keeps that one beside it.
    for (const member of ["code", "originalCode"]) {
      const code = text(at, member);
      if (code !== undefined) codes.unshift(code);
    }
  }
  return codes;
};

const saidBy = (error: unknown): string => {
  const response = text(error, "response")?.trim().replace(/\s+/g, " ").slice(0, 300);
  return response === undefined || response === "" ? "" : `: ${response}`;
};

const text = (value: unknown, member: string): string | undefined => {
  if (typeof value !== "object" || value === null || !(member in value)) return undefined;
  const found: unknown = Reflect.get(value, member);
  return typeof found === "string" ? found : undefined;
};

/** A server may well repeat what it was sent. */
const redacted = (why: string, { user, password }: SmtpServer): string => {
  if (password === undefined) return why;
  const forms = [
    password,
    Buffer.from(password).toString("base64"),
    Buffer.from(`\0${user}\0${password}`).toString("base64"),
  ];
  return forms.reduce((left, form) => left.replaceAll(form, "…"), why);
};
