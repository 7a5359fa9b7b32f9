import type { Fault } from "@aigw/core/services";

const MESSAGES = {
  UPSTREAM_CLOSED: "the upstream closed the connection",
  UPSTREAM_INVALID: "the upstream's response is not valid HTTP/1.1",
  UPSTREAM_UNOPENED: "no connection to the upstream could be opened",
};

/** Why a response will not be complete, when the socket itself did not fail, or its error says less than is known. */
export class UpstreamError extends Error {
  override readonly name = "UpstreamError";
  readonly code: keyof typeof MESSAGES;
  readonly fault: Fault;

  constructor(code: keyof typeof MESSAGES, fault: Fault, options?: ErrorOptions) {
    super(MESSAGES[code], options);
    this.code = code;
    this.fault = fault;
  }
}
