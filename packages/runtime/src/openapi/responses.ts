import { PROBLEMS, type ProblemCode } from "../http-errors.ts";
import { TOKEN_ERROR_CODES, TOKEN_ERRORS, type TokenErrorCode } from "../login/credentials.ts";
import { CLIENT_HEADERS, type HeaderName, headers } from "./headers.ts";
import { type JsonObject, ref } from "./json.ts";

/** Answers to requests that are refused wherever they go. */
const GUARD_CODES: readonly ProblemCode[] = [
  "invalid_request",
  "invalid_path",
  "method_not_allowed",
  "request_timeout",
  "expectation_failed",
  "headers_too_large",
  "internal_error",
  "not_implemented",
];

/** Fields that an answer with this code has besides X-Request-ID. */
const FIELDS: Partial<Record<ProblemCode, readonly HeaderName[]>> = {
  missing_token: ["WWW-Authenticate"],
  invalid_token: ["WWW-Authenticate"],
  insufficient_scope: ["WWW-Authenticate"],
  method_not_allowed: ["Allow"],
  rate_limited: ["Retry-After"],
  quota_exceeded: ["Retry-After"],
  too_many_jobs: ["Retry-After"],
  insufficient_storage: ["Retry-After"],
  service_down: ["Retry-After"],
  service_disabled: ["Retry-After"],
  service_busy: ["Retry-After"],
  unavailable: ["Retry-After"],
};

/** One response for each status of these codes. */
const problems = (codes: readonly ProblemCode[], more: readonly HeaderName[] = []): JsonObject =>
  Object.fromEntries(
    [...Map.groupBy(codes, (code) => PROBLEMS[code].status)].map(([status, group]) => [
      String(status),
      {
        description: group.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(" "),
        headers: headers(...group.flatMap((code) => FIELDS[code] ?? []), ...more),
        content: { "application/problem+json": { schema: problemSchema(status, group) } },
      },
    ]),
  );

const problemSchema = (status: number, codes: readonly ProblemCode[]): JsonObject => ({
  allOf: [ref("schemas", "Problem")],
  properties: { status: { const: status }, code: { enum: [...codes] } },
});

const GUARD = problems(GUARD_CODES);

const CALL: JsonObject = {
  ...GUARD,
  ...problems(["missing_token", "invalid_token", "service_down", "service_disabled", "service_busy", "unavailable"]),
  ...problems(
    [
      "insufficient_scope",
      "unknown_service",
      "rate_limited",
      "quota_exceeded",
      "too_many_jobs",
      "insufficient_storage",
      "upstream_unreachable",
      "upstream_invalid",
      "upstream_timeout",
    ],
    CLIENT_HEADERS,
  ),
  default: {
    description: "The service's own answer, with any status and content.",
    headers: headers(...CLIENT_HEADERS),
    content: { "*/*": {} },
  },
};

const named = (prefix: string, responses: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(responses).map(([status, response]) => [`${prefix}-${status}`, response]));

const refs = (prefix: string, responses: JsonObject): JsonObject =>
  Object.fromEntries(Object.keys(responses).map((status) => [status, ref("responses", `${prefix}-${status}`)]));

const JOB: JsonObject = {
  ...GUARD,
  ...problems(["missing_token", "invalid_token", "not_found", "no_result", "rate_limited", "unavailable"]),
};

/** `components.responses`. */
export const RESPONSES: JsonObject = {
  ...named("guard", GUARD),
  ...named("call", CALL),
  "call-101": {
    description:
      "The connection is a WebSocket (RFC 6455), if the service takes the handshake. Closed with 1008 when the right to it ends, with 1001 when the gateway does, or after too long a silence.",
    headers: headers(...CLIENT_HEADERS, "Connection", "Upgrade", "Sec-WebSocket-Accept"),
  },
  ...named("job", JOB),
  "not-found": problems(["not_found"])["404"] ?? {},
};

/** Of every route. */
export const GUARD_RESPONSES: JsonObject = refs("guard", GUARD);
/** Of a call of a service. */
export const CALL_RESPONSES: JsonObject = refs("call", CALL);

/** Of a `GET` that is a WebSocket's handshake: a refusal is that of any call. */
export const SWITCH_RESPONSE: JsonObject = ref("responses", "call-101");

/** Of what there is of jobs. */
export const JOB_RESPONSES: JsonObject = refs("job", JOB);

/** The token endpoint's refusals, and in the same responses the guard's. */
export const tokenErrors = (): JsonObject => {
  const refusals = [
    ...Map.groupBy(TOKEN_ERROR_CODES, (code): number => TOKEN_ERRORS[code]),
    // A body that is too large is an invalid request with the status that says so.
    [413, ["invalid_request"]] as [number, TokenErrorCode[]],
  ];
  const merged = refusals.map(([status, codes]) => {
    const problem = GUARD[status] as { readonly content?: JsonObject } | undefined;
    const description = codes.map((code) => `\`${code}\``).join(", ");
    const retry: HeaderName[] = status === 429 || status === 503 ? ["Retry-After"] : [];
    const response: JsonObject = {
      description: problem === undefined ? `${description}.` : `${description}; or refused before it was read.`,
      // A request that the guard refuses has no cache fields: nobody would keep it.
      headers: problem === undefined ? headers("Cache-Control", "Pragma", ...retry) : headers(),
      content: { "application/json": { schema: tokenErrorSchema(codes) }, ...problem?.content },
    };
    return [String(status), response] as const;
  });
  return { ...GUARD_RESPONSES, ...Object.fromEntries(merged) };
};

const tokenErrorSchema = (codes: readonly TokenErrorCode[]): JsonObject => ({
  allOf: [ref("schemas", "TokenError")],
  properties: { error: { enum: [...codes] } },
});
