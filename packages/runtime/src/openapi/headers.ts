import { CORS_METHODS } from "../cors/cors-answer.ts";
import { ANSWER_FIELDS } from "../gate/answer-fields.ts";
import { type JsonObject, ref } from "./json.ts";

const header = (description: string, schema: JsonObject): JsonObject => ({ description, required: true, schema });
const count = { type: "integer", minimum: 0 };

export type HeaderName =
  | "X-Request-ID"
  | "X-Client-ID"
  | "RateLimit-Policy"
  | "RateLimit"
  | "X-RateLimit-Limit"
  | "X-RateLimit-Remaining"
  | "X-RateLimit-Reset"
  | "Retry-After"
  | "WWW-Authenticate"
  | "Allow"
  | "Cache-Control"
  | "Pragma"
  | "ETag"
  | "Access-Control-Allow-Origin"
  | "Access-Control-Allow-Methods"
  | "Access-Control-Max-Age"
  | "Connection"
  | "Upgrade"
  | "Sec-WebSocket-Accept";

/** `components.headers`: each is on every answer whose description names it. */
export const HEADERS: Readonly<Record<HeaderName, JsonObject>> = {
  "X-Request-ID": header("Identifies the request; a valid one that came with it is kept.", {
    type: "string",
    pattern: "^[A-Za-z0-9._~:/+=@-]{1,128}$",
  }),
  "X-Client-ID": header("The username that was recognised.", {
    type: "string",
    pattern: "^[a-z0-9][a-z0-9._-]{0,63}$",
  }),
  "RateLimit-Policy": header(
    "The limit q in any w seconds (draft-ietf-httpapi-ratelimit-headers); then each quota, q of the unit qu (requests unless given) in a period of w seconds.",
    {
      type: "string",
      pattern: '^"client";q=[0-9]+;w=[0-9]+(, "[a-z0-9_+]+/[a-z]+";q=[0-9]+;w=[0-9]+(;qu="[a-z0-9_+]+")?)*$',
    },
  ),
  RateLimit: header("What remains, r, and in how many seconds more is free, or the quota's period ends, t.", {
    type: "string",
    pattern: '^"client";r=[0-9]+;t=[0-9]+(, "[a-z0-9_+]+/[a-z]+";r=[0-9]+;t=[0-9]+)*$',
  }),
  "X-RateLimit-Limit": header("The limit, in the older form.", count),
  "X-RateLimit-Remaining": header("What remains.", count),
  "X-RateLimit-Reset": header("Seconds until more is free.", count),
  "Retry-After": header("Seconds to wait.", { type: "integer", minimum: 1 }),
  "WWW-Authenticate": header("RFC 6750 §3; at the token endpoint RFC 7617, if HTTP Basic was used.", {
    type: "string",
    pattern: '^(Bearer|Basic) realm="aigw"',
  }),
  Allow: header("The methods that are allowed.", { type: "string", pattern: "^[A-Z]+(, [A-Z]+)*$" }),
  "Cache-Control": header("What caches may do.", { enum: ["no-store", "no-cache"] }),
  Pragma: header("For caches from before Cache-Control.", { const: "no-cache" }),
  "Access-Control-Allow-Origin": header("The page's origin, or `*`.", { type: "string" }),
  "Access-Control-Allow-Methods": header("All that are forwarded.", { const: CORS_METHODS }),
  "Access-Control-Max-Age": header("Seconds for which the browser need not ask again.", count),
  Connection: header("What the connection is about to do.", { const: "Upgrade" }),
  Upgrade: header("What the connection speaks from here on.", { const: "websocket" }),
  "Sec-WebSocket-Accept": header("The service's answer to Sec-WebSocket-Key.", {
    type: "string",
    pattern: "^[A-Za-z0-9+/]{27}=$",
  }),
  ETag: header("Changes with the content.", { type: "string", pattern: '^"[\\w-]+"$' }),
};

/** On every answer to a call whose client was recognised. */
export const CLIENT_HEADERS: readonly HeaderName[] = ANSWER_FIELDS;

export const headers = (...names: readonly HeaderName[]): JsonObject =>
  Object.fromEntries((["X-Request-ID", ...names] as const).map((name) => [name, ref("headers", name)]));
