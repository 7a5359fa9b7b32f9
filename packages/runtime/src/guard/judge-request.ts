import type { IncomingMessage } from "node:http";
import type { ProblemCode } from "../http-errors.ts";
import { isAuthority } from "./authority.ts";
import { isForeignProtocol } from "./foreign-protocol.ts";

export interface Refusal {
  readonly code: Extract<
    ProblemCode,
    "invalid_request" | "invalid_path" | "method_not_allowed" | "expectation_failed" | "not_implemented"
  >;
  /** For the client's eyes. */
  readonly detail: string;
}

export const ALLOWED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

const bad = (detail: string): Refusal => ({ code: "invalid_request", detail });

const VERSION = bad("Only HTTP/1.1 and HTTP/1.0 are spoken here.");
const NO_HOST = bad("The request needs exactly one Host field.");
const HOST = bad("The Host field is not valid.");
const TARGET = bad("The request target is not valid.");
const USER_INFO = bad("The request target must not have user info.");
const LENGTHS = bad("The request has more than one Content-Length.");
const FRAMING = bad("The request has both Transfer-Encoding and Content-Length.");
const CODING_1_0 = bad("HTTP/1.0 has no Transfer-Encoding.");
const CODING: Refusal = { code: "not_implemented", detail: "The only transfer coding understood here is 'chunked'." };
const CHARACTERS: Refusal = {
  code: "invalid_path",
  detail: "The request target has characters that must be percent-encoded.",
};
const METHOD: Refusal = { code: "method_not_allowed", detail: "This method is not allowed." };
const EXPECTATION: Refusal = {
  code: "expectation_failed",
  detail: "The only expectation that can be met is '100-continue'.",
};

/**
 * Judges a request before anything else sees it, and makes it plain: afterwards `url` is in origin form (or `*`) and
 * there is a Host. Where two readers of a request could disagree about its framing or its target, it is refused.
 * One pass over the raw fields, and no allocation for a request in order.
 * @param isFirst whether it is the first of its connection
 */
export const judgeRequest = (incoming: IncomingMessage, isFirst: boolean): Refusal | undefined => {
  const is1_0 = incoming.httpVersionMinor === 0;
  if (incoming.httpVersionMajor !== 1 || incoming.httpVersionMinor > 1) return VERSION;
  if (isForeignProtocol(incoming, isFirst)) return VERSION;
  const raw = incoming.rawHeaders;
  let host: string | undefined;
  let lengths = 0;
  let coded = false;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    switch (name.length) {
      case 4:
        if (name.toLowerCase() !== "host") break;
        if (host !== undefined) return NO_HOST;
        host = raw[i + 1] ?? "";
        break;
      case 6:
        if (name.toLowerCase() === "expect" && !isMet(raw[i + 1], is1_0)) return EXPECTATION;
        break;
      case 14:
        if (name.toLowerCase() === "content-length" && ++lengths > 1) return LENGTHS;
        break;
      case 17:
        if (name.toLowerCase() !== "transfer-encoding") break;
        if (is1_0) return CODING_1_0;
        if (coded || raw[i + 1]?.toLowerCase() !== "chunked") return CODING;
        coded = true;
        break;
    }
  }
  if (coded && lengths > 0) return FRAMING;
  if (host === undefined) {
    if (!is1_0) return NO_HOST;
    giveHost(incoming);
  } else if (!isAuthority(host)) return HOST;
  if (incoming.method === "TRACE") return METHOD;
  return judgeTarget(incoming);
};

/** RFC 9110 §10.1.1: an HTTP/1.0 client cannot mean `100-continue`, and it is to be ignored then. */
const isMet = (expectation: string | undefined, is1_0: boolean): boolean =>
  is1_0 || expectation?.toLowerCase() === "100-continue";

/** HTTP/1.0 knows no Host; everything behind the guard asks for one. */
const giveHost = (incoming: IncomingMessage): void => {
  const { localAddress = "localhost", localPort = 80 } = incoming.socket;
  setHost(incoming, localAddress.includes(":") ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`);
};

const judgeTarget = (incoming: IncomingMessage): Refusal | undefined => {
  const target = incoming.url ?? "";
  if (/[^!-~]|#/.test(target)) return CHARACTERS;
  if (target.startsWith("/")) return undefined;
  if (target === "*") return incoming.method === "OPTIONS" ? undefined : TARGET;
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(target);
  if (absolute === null) return TARGET;
  const [, authority = "", rest = ""] = absolute;
  if (authority.includes("@")) return USER_INFO;
  if (!isAuthority(authority)) return HOST;
  incoming.url = rest.startsWith("/") ? rest : `/${rest}`;
  setHost(incoming, authority);
  return undefined;
};

/** RFC 9112 §3.2.2: the authority of an absolute target replaces the Host field, for every later reader. */
const setHost = (incoming: IncomingMessage, host: string): void => {
  incoming.headers.host = host;
  const raw = incoming.rawHeaders;
  const at = raw.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === "host");
  if (at < 0) raw.push("Host", host);
  else raw[at + 1] = host;
};
