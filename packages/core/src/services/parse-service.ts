import { redactUserInfo } from "../config/redact-user-info.ts";
import { AigwError } from "../errors.ts";

/** 1 to 32 of `a-z 0-9 -`, starting with a letter or digit: it is a path segment of every call. */
export const parseServiceName = (value: string): string => {
  if (value !== "all" && /^[a-z0-9][a-z0-9-]{0,31}$/.test(value)) return value;
  throw new AigwError(
    "invalid_value",
    value === "all"
      ? "service name 'all' is not valid: it stands for every service. Choose another name."
      : `service name '${value}' is not valid: use 1 to 32 of a-z, 0-9, '-', starting with a letter or digit.`,
  );
};

/** @returns the URL without a trailing slash */
export const parseUpstreamUrl = (value: string): string => {
  const refuse = (why: string): AigwError =>
    new AigwError("invalid_value", `service URL '${redactUserInfo(value)}' is not valid: ${why}.`);
  if (value.startsWith("unix:")) return parseSocketUrl(value, refuse);
  if (!URL.canParse(value)) throw refuse("use an absolute URL such as http://127.0.0.1:9000");
  const url = new URL(value);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw refuse("use http://, https:// or unix:/");
  if (url.username !== "" || url.password !== "") {
    throw refuse("credentials do not belong in a URL; use --header-env 'Authorization=VARIABLE'");
  }
  if (url.search !== "" || url.hash !== "") throw refuse("leave out the query and the fragment");
  return url.href.replace(/\/+$/, "");
};

/** What the system takes for the path of a socket. */
const MAX_SOCKET_PATH = 107;

const parseSocketUrl = (value: string, refuse: (why: string) => AigwError): string => {
  const [, path = "", base = ""] = /^unix:([^:]*)(?::(.*))?$/.exec(value) ?? [];
  if (!/^\/[^\p{Cc}]+$/u.test(path)) throw refuse("use the absolute path of a socket, such as unix:/run/ocr.sock");
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) throw refuse(`a socket's path has ${MAX_SOCKET_PATH} bytes at most`);
  if (base !== "" && !/^\/[!-~]*$/.test(base)) throw refuse("behind the socket write ':/base', or nothing");
  if (/[?#]/.test(base)) throw refuse("leave out the query and the fragment");
  const trimmed = base.replace(/\/+$/, "");
  return trimmed === "" ? `unix:${path}` : `unix:${path}:${trimmed}`;
};

/** `500ms`, `60s`, `5m`, `1h` → milliseconds, from 100 ms to 24 h. */
export const parseDuration = (what: string, value: string): number => {
  const match = /^([0-9]{1,9})(ms|s|m|h)$/.exec(value);
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match?.[2] ?? "s"] ?? 1000;
  const duration = Number(match?.[1]) * unit;
  if (match && duration >= 100 && duration <= 86_400_000) return duration;
  throw new AigwError("invalid_value", `${what} '${value}' is not valid: use 500ms, 60s, 5m or 1h; 100ms to 24h.`);
};

/** Fields that the gateway or the connection itself sets; a service's own header may not replace them. */
const RESERVED = new Set([
  "connection",
  "content-length",
  "expect",
  "forwarded",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
  "x-client-id",
  "x-request-id",
]);

/** An RFC 9110 field name that a service may set. */
export const parseHeaderName = (value: string): string => {
  // `X_Client_ID` is the same variable to a CGI or WSGI server.
  const lower = value.toLowerCase().replaceAll("_", "-");
  if (/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(value) && !RESERVED.has(lower) && !lower.startsWith("x-forwarded-")) {
    return value;
  }
  throw new AigwError(
    "invalid_value",
    `header name '${value}' is not valid: use a field name such as X-Api-Key that the gateway does not set itself.`,
  );
};

/** A field value: 1 to 8192 printable ASCII characters. @throws AigwError whose message does not repeat the value */
export const parseHeaderValue = (name: string, value: string): string => {
  if (value.length <= 8192 && /^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/.test(value)) return value;
  throw new AigwError(
    "invalid_value",
    `the value for header '${name}' is not valid: it is empty, too long, or has characters a header cannot carry.`,
  );
};
