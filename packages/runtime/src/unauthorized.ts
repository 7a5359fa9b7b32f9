import type { Problem } from "./http-errors.ts";

interface Refused extends Omit<Problem, "requestId" | "quota"> {
  readonly fields: readonly string[];
}

const BEARER = 'Bearer realm="aigw"';

/** What a request is told whose token is missing, does not hold, or cannot be judged: the same wherever it asks (RFC 6750 §3). */
export const MISSING_TOKEN: Refused = {
  code: "missing_token",
  detail: "Send a bearer token: get one from POST /auth/token.",
  fields: ["WWW-Authenticate", BEARER],
};

const INVALID = ["WWW-Authenticate", `${BEARER}, error="invalid_token"`];

export const INVALID_TOKEN: Refused = {
  code: "invalid_token",
  detail: "The token is not valid (any more): get a new one from POST /auth/token.",
  fields: INVALID,
};

/** One that began with a token that held. */
export const TOKEN_ENDED: Refused = { code: "invalid_token", detail: "The token is no longer valid.", fields: INVALID };

export const OUT_OF_SCOPE: readonly string[] = ["WWW-Authenticate", `${BEARER}, error="insufficient_scope"`];

export const STORE_AWAY: Refused = {
  code: "unavailable",
  detail: "The gateway cannot reach its store at this moment: try again soon.",
  fields: ["Retry-After", "5"],
};
