const MESSAGES = {
  UPSTREAM_CLOSED: "the upstream closed the connection",
  UPSTREAM_INVALID: "the upstream's response is not valid HTTP/1.1",
};

/** Why a response will not be complete, when the socket itself did not fail. */
export class UpstreamError extends Error {
  override readonly name = "UpstreamError";
  readonly code: keyof typeof MESSAGES;

  constructor(code: keyof typeof MESSAGES) {
    super(MESSAGES[code]);
    this.code = code;
  }
}
