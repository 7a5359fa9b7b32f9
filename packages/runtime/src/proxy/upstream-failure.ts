import { FAULTS, type Fault, type FaultKind } from "@aigw/core/services";
import type { ProblemCode } from "../http-errors.ts";
import { socketFault } from "./upstream/connect-fault.ts";
import type { Connection } from "./upstream/connection.ts";
import { UpstreamError } from "./upstream/upstream-error.ts";

export interface UpstreamFailure {
  readonly code: Extract<
    ProblemCode,
    "upstream_unreachable" | "upstream_invalid" | "upstream_timeout" | "service_down" | "unavailable"
  >;
  /** For the client's eyes: the kind, and never a host. */
  readonly detail: string;
}

export const TIMED_OUT: UpstreamFailure = {
  code: "upstream_timeout",
  detail: "The service did not answer in time.",
};

const INVALID: UpstreamFailure = {
  code: "upstream_invalid",
  detail: "The service did not answer with valid HTTP.",
};

const FAILURES: Readonly<Record<FaultKind, UpstreamFailure>> = {
  unreachable: {
    code: "upstream_unreachable",
    detail: "The service could not be reached or closed the connection before it answered.",
  },
  // When nothing of it has been passed on.
  broken: INVALID,
  untrusted: {
    code: "upstream_unreachable",
    detail: "The service could not be reached: its certificate is not valid.",
  },
  invalid: INVALID,
  late: TIMED_OUT,
  down: {
    code: "service_down",
    detail: "The service is down at this moment: try again soon.",
  },
  gateway: {
    code: "unavailable",
    detail: "The gateway has no room for another call at this moment: try again soon.",
  },
};

/** What the client is told when there is no answer. */
export const failureOf = (fault: Fault): UpstreamFailure => FAILURES[FAULTS[fault].kind];

/** @param contentLength of the answer when it has begun, −1 when it comes in chunks; else undefined */
export const faultOf = (
  error: Error,
  { reused, sawBytes, sawLeftovers }: Pick<Connection, "reused" | "sawBytes" | "sawLeftovers">,
  contentLength: number | undefined,
): Fault => {
  if (sawLeftovers) return "leftover_bytes";
  const fault = error instanceof UpstreamError ? error.fault : socketFault(codeOf(error));
  if (fault !== "closed" && fault !== "reset") return fault;
  if (contentLength === undefined) {
    if (sawBytes) return "head_cut_short";
    return reused ? "kept_connection_closed" : fault;
  }
  if (fault === "reset") return fault;
  return contentLength >= 0 ? "too_few_bytes" : "no_last_chunk";
};

/** The `code` of Node's errors and ours. */
export const codeOf = (error: Error): string => ("code" in error && typeof error.code === "string" ? error.code : "");

/** For the log: what the system or a library called it. Empty when the fault says all there is. */
export const systemCodeOf = (error: Error): string => {
  if (!(error instanceof UpstreamError)) return codeOf(error) || error.name;
  return error.cause instanceof Error ? codeOf(error.cause) || error.cause.name : "";
};
