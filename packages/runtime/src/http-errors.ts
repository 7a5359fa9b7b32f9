import type { ServerResponse } from "node:http";

/** The closed list of `code`s in the gateway's own error answers. docs/errors.md is checked against this table. */
export const PROBLEMS = {
  invalid_request: { status: 400, title: "Bad request" },
  invalid_path: { status: 400, title: "Bad path" },
  missing_token: { status: 401, title: "Authentication required" },
  invalid_token: { status: 401, title: "Invalid token" },
  insufficient_scope: { status: 403, title: "Service not allowed" },
  not_found: { status: 404, title: "Not found" },
  unknown_service: { status: 404, title: "Unknown service" },
  method_not_allowed: { status: 405, title: "Method not allowed" },
  no_result: { status: 409, title: "No result" },
  request_timeout: { status: 408, title: "Request timed out" },
  expectation_failed: { status: 417, title: "Expectation failed" },
  too_many_jobs: { status: 429, title: "Too many jobs" },
  rate_limited: { status: 429, title: "Too many requests" },
  quota_exceeded: { status: 429, title: "Quota used up" },
  headers_too_large: { status: 431, title: "Header fields too large" },
  internal_error: { status: 500, title: "Internal error" },
  not_implemented: { status: 501, title: "Not implemented" },
  upstream_unreachable: { status: 502, title: "Service unreachable" },
  upstream_invalid: { status: 502, title: "Invalid answer from the service" },
  service_down: { status: 503, title: "Service down" },
  service_disabled: { status: 503, title: "Service out of use" },
  service_busy: { status: 503, title: "Service busy" },
  unavailable: { status: 503, title: "Temporarily unavailable" },
  upstream_timeout: { status: 504, title: "Service timed out" },
  insufficient_storage: { status: 507, title: "No room" },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_CODES: readonly ProblemCode[] = Object.keys(PROBLEMS) as ProblemCode[];

export interface Problem {
  readonly code: ProblemCode;
  /** For the client's eyes: no path of this machine, no host, no secret. */
  readonly detail: string;
  readonly requestId: string;
  /** Of `quota_exceeded`: which one. */
  readonly quota?: ProblemQuota;
}

export interface ProblemQuota {
  /** As it was given: `input_tokens+output_tokens`. */
  readonly unit: string;
  readonly per: string;
  readonly limit: number;
  readonly used: number;
  /** RFC 3339. */
  readonly resetsAt: string;
}

/** The type that OpenAI-style SDKs sort errors by. */
export const openAiType = (status: number): string => {
  if (status === 401) return "authentication_error";
  if (status === 403) return "permission_error";
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "api_error";
};

/** RFC 9457 problem details, with an `error` member in the shape that OpenAI-style SDKs print. */
export const problemBody = ({ code, detail, requestId, quota }: Problem): string => {
  const { status, title } = PROBLEMS[code];
  return JSON.stringify({
    type: `urn:aigw:problem:${code}`,
    title,
    status,
    detail,
    code,
    request_id: requestId,
    error: { message: detail, type: openAiType(status), code },
    ...(quota && { quota }),
  });
};

/**
 * Answers with a problem on Node's own response.
 * @param fields flat list of further header fields: name, value, name, value …
 */
export const sendProblem = (outgoing: ServerResponse, problem: Problem, fields: readonly string[] = []): void => {
  const body = problemBody(problem);
  outgoing.writeHead(PROBLEMS[problem.code].status, [
    "Content-Type",
    "application/problem+json",
    "Content-Length",
    String(Buffer.byteLength(body)),
    "X-Request-ID",
    problem.requestId,
    ...fields,
  ]);
  // Not as text: Node would put it and the head into one, and encode the bytes of both anew.
  outgoing.end(Buffer.from(body));
};
