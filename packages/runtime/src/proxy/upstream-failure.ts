import type { ProblemCode } from "../http-errors.ts";

export interface UpstreamFailure {
  readonly code: Extract<ProblemCode, "upstream_unreachable" | "upstream_invalid" | "upstream_timeout">;
  /** For the client's eyes. */
  readonly detail: string;
}

export const UNREACHABLE: UpstreamFailure = {
  code: "upstream_unreachable",
  detail: "The service could not be reached or closed the connection before it answered.",
};
export const INVALID: UpstreamFailure = {
  code: "upstream_invalid",
  detail: "The service did not answer with valid HTTP.",
};
export const TIMED_OUT: UpstreamFailure = {
  code: "upstream_timeout",
  detail: "The service did not answer in time.",
};

/** The `code` of Node's errors and ours. */
export const codeOf = (error: Error): string => ("code" in error && typeof error.code === "string" ? error.code : "");

/**
 * Why there is no response, before its headers were complete.
 * @param sawBytes the upstream had begun to answer
 */
export const upstreamFailure = (error: Error, sawBytes: boolean): UpstreamFailure => {
  return sawBytes || codeOf(error) === "UPSTREAM_INVALID" ? INVALID : UNREACHABLE;
};
