import { networkInterfaces } from "node:os";
import { isOutOfFiles } from "@aigw/core/files";
import type { Fault } from "@aigw/core/services";

/** By the `code` of Node's errors: the system's, those of name look-ups, OpenSSL's of certificates. */
const FAULTS_BY_CODE: Readonly<Record<string, Fault>> = {
  ECONNREFUSED: "refused",
  // There is no socket of this name.
  ENOENT: "refused",
  ENOTFOUND: "name_not_found",
  EAI_AGAIN: "name_lookup_failed",
  EAI_FAIL: "name_lookup_failed",
  EHOSTUNREACH: "no_route",
  EHOSTDOWN: "no_route",
  ENETUNREACH: "no_route",
  ENETDOWN: "no_route",
  EACCES: "forbidden",
  EPERM: "forbidden",
  ETIMEDOUT: "connect_timeout",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  EMFILE: "out_of_files",
  ENFILE: "out_of_files",
  ENOBUFS: "out_of_memory",
  ENOMEM: "out_of_memory",
  CERT_HAS_EXPIRED: "certificate_expired",
  CERT_NOT_YET_VALID: "certificate_not_yet_valid",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate_self_signed",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate_unknown_authority",
  UNABLE_TO_GET_ISSUER_CERT: "certificate_unknown_authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate_unknown_authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate_unknown_authority",
  CERT_UNTRUSTED: "certificate_unknown_authority",
  ERR_TLS_CERT_ALTNAME_INVALID: "certificate_wrong_name",
  HOSTNAME_MISMATCH: "certificate_wrong_name",
  EPROTO: "tls_failed",
};

/** What OpenSSL says of bytes that are no TLS. */
const NOT_TLS = /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL|HTTP_REQUEST)$/;

/** What a socket's error means, at whatever time. */
export const socketFault = (code: string): Fault => {
  const known = FAULTS_BY_CODE[code];
  if (known !== undefined) return known;
  if (NOT_TLS.test(code)) return "not_tls";
  if (/^ERR_SSL_.*ALERT_(?:CERTIFICATE_REQUIRED|BAD_CERTIFICATE)$/.test(code)) return "certificate_wanted";
  if (/^ERR_SSL_.*NO_APPLICATION_PROTOCOL$/.test(code)) return "http2_only";
  return code.startsWith("ERR_SSL_") ? "tls_failed" : "connection_failed";
};

/**
 * What the error of a connection that was not open yet means.
 * @param untrusted the certificate was looked at and refused
 */
export const connectFault = (error: Error, phase: "lookup" | "connect" | "tls", untrusted: boolean): Fault => {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  // Without a descriptor the system cannot read its own configuration, and says that there is no such host.
  if (phase === "lookup") return isOutOfFiles() ? "out_of_files" : socketFault(code);
  if (phase === "connect") return code === "EADDRNOTAVAIL" ? noLocalAddress(error) : socketFault(code);
  const fault = socketFault(code);
  if (fault === "reset") return "tls_closed";
  return fault === "connection_failed" && untrusted ? "certificate_unacceptable" : fault;
};

/** A machine without IPv6 says of every such address what it says when its ports are used up. */
const noLocalAddress = (error: Error): Fault => {
  const isIPv6 = "address" in error && String(error.address).includes(":");
  const hasIPv6 = Object.values(networkInterfaces()).some((ours) => ours?.some(({ family }) => family === "IPv6"));
  return isIPv6 && !hasIPv6 ? "no_route" : "out_of_ports";
};
