import { AigwError } from "../errors.ts";
import { redactUserInfo } from "./redact-user-info.ts";

/** So that a list is looked through at once by a reader, and costs no memory to speak of. */
const MAX_ORIGINS = 100;

/**
 * The origins of web pages that browsers let call the gateway: `*`, or origins such as `https://app.example.com`
 * separated by commas or blanks.
 * @returns as browsers spell them in `Origin` (lower-case, no default port), each once, separated by commas
 * @throws AigwError `invalid_value`
 */
export const parseCorsOrigins = (value: string): string => parseOrigins(value, "use * or a list of origins");

/**
 * A service's own: as {@link parseCorsOrigins}, or `none`, or `upstream`, which leaves CORS to the service.
 * @throws AigwError `invalid_value`
 */
export const parseServiceCors = (value: string): string =>
  value === "none" || value === "upstream" ? value : parseOrigins(value, "use a list of origins, *, upstream or none");

const parseOrigins = (value: string, use: string): string => {
  if (value === "*") return value;
  const origins = value.split(/[,\s]+/).filter((origin) => origin !== "");
  const refuse = (why: string): AigwError => new AigwError("invalid_value", `${why}: ${use}, such as ${EXAMPLE}.`);
  if (origins.length === 0) throw refuse("cors-origins is empty");
  if (origins.length > MAX_ORIGINS)
    throw refuse(`cors-origins has ${origins.length} origins, more than ${MAX_ORIGINS}`);
  const parsed = origins.map((origin) => {
    const problem = problemOf(origin);
    if (problem !== undefined) throw refuse(`origin '${redactUserInfo(origin)}' is not valid, ${problem}`);
    return normal(origin);
  });
  return [...new Set(parsed)].join(",");
};

const EXAMPLE = "https://app.example.com,http://localhost:5173";

/** Scheme, host, port: with others than http(s) too, such as `capacitor://localhost` or a browser extension's. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@\\*\s,:[\]]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/i;

const problemOf = (origin: string): string | undefined => {
  if (origin === "*") return "which stands for all and must stand alone";
  if (origin === "null") return "which is any file and any sandboxed page; only * allows it";
  if (origin.includes("*")) return "patterns are not understood";
  if (origin === "none" || origin === "upstream") return "that word must stand alone, and only for a service";
  if (!origin.includes("://")) return "the scheme is missing";
  const bare = withoutSlash(origin);
  if (!ORIGIN.test(bare) || !URL.canParse(bare))
    return "an origin is a scheme, a host and a port, without a path or user";
  return undefined;
};

/** Browsers show addresses with it; an origin has none. */
const withoutSlash = (origin: string): string => origin.replace(/\/$/, "");

const normal = (origin: string): string => {
  const url = new URL(withoutSlash(origin));
  return url.origin === "null" ? `${url.protocol}//${url.host.toLowerCase()}` : url.origin;
};
