import { connect, type DetailedPeerCertificate, getCACertificates, type PeerCertificate } from "node:tls";
import type { Found } from "../finding.ts";

const about = "certificate";
const DAY_MS = 86_400_000;
const SOON_DAYS = 21;

/** What a TLS handshake showed. */
export interface ShownCertificate {
  /** Milliseconds since the epoch. */
  readonly endsAt: number;
  /** Node's reason to refuse it, if any. */
  readonly refused: string | undefined;
}

export const judgeCertificate = ({ endsAt, refused }: ShownCertificate, host: string, now: number): Found => {
  const days = Math.floor((endsAt - now) / DAY_MS);
  if (days < 0 || refused === "CERT_HAS_EXPIRED") {
    const since = days === -1 ? "less than a day" : `${-days - 1} d`;
    return {
      code: "certificate_expired",
      about,
      message: `The certificate of ${host} ended ${since} ago: clients refuse to connect.`,
      command: "renew it, and have whatever holds it load it anew",
    };
  }
  if (refused === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return {
      code: "certificate_wrong_name",
      about,
      message: `The certificate is for another name than ${host}: clients refuse to connect.`,
      command: `get one for ${host}, or set the name it is for: aigw config set public-url https://…`,
    };
  }
  if (refused !== undefined) {
    return {
      code: "certificate_untrusted",
      about,
      message: `The certificate of ${host} is not trusted (${refused}): clients refuse to connect.`,
      command: "get one from a CA that clients know, with its whole chain",
    };
  }
  if (days < SOON_DAYS) {
    return {
      code: "certificate_ends_soon",
      about,
      message: `The certificate of ${host} ends in ${days} d.`,
      command: "renew it, and have whatever holds it load it anew",
    };
  }
  return { code: "certificate_valid", about, message: `for ${host}, ${days} d left` };
};

/** @returns undefined when there is no TLS handshake within the time */
export const showCertificate = (url: URL, timeoutMs: number): Promise<ShownCertificate | undefined> =>
  new Promise((settle) => {
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const isName = !/^[\d.]+$|:/.test(host);
    const socket = connect({
      host,
      port: Number(url.port || 443),
      ...(isName ? { servername: host } : {}),
      // curl and browsers go by the system's CAs, Node by its own: either makes it good.
      ca: [...getCACertificates("default"), ...getCACertificates("system")],
      rejectUnauthorized: false,
      timeout: timeoutMs,
    });
    const done = (shown: ShownCertificate | undefined): void => {
      settle(shown);
      socket.destroy();
    };
    socket.once("secureConnect", () => {
      const certificate: PeerCertificate | DetailedPeerCertificate = socket.getPeerCertificate();
      const refused = socket.authorized ? undefined : codeOf(socket.authorizationError);
      done({ endsAt: Date.parse(certificate.valid_to), refused });
    });
    socket.once("timeout", () => done(undefined));
    socket.once("error", () => done(undefined));
  });

/** Typed as an Error; in fact OpenSSL's name for it, or an Error with a code where the name does not match. */
const codeOf = (error: unknown): string => {
  if (error instanceof Error) return "code" in error ? String(error.code) : error.message;
  return String(error);
};
