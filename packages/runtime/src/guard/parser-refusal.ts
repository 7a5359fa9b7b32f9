import type { Refusal } from "./judge-request.ts";

/** What Node's parser says of bytes that it does not take. */
export interface ParserError extends Error {
  readonly code?: string;
  /** Where in `rawPacket`, the bytes of the read in which it failed, it stopped. */
  readonly bytesParsed?: number;
  readonly rawPacket?: Buffer;
}

export interface ParserRefusal {
  readonly code: Refusal["code"] | "headers_too_large" | "request_timeout";
  /** For the client's eyes. */
  readonly detail: string;
}

const METHOD: ParserRefusal = { code: "not_implemented", detail: "This method is not known here." };
const LARGE: ParserRefusal = { code: "headers_too_large", detail: "The request's header fields are too large." };
const LATE: ParserRefusal = { code: "request_timeout", detail: "The request's header did not arrive in time." };
const MALFORMED: ParserRefusal = { code: "invalid_request", detail: "The request is not valid HTTP/1.1." };

/** `method SP request-target SP HTTP-version` (RFC 9112 §3), whatever the method. */
const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP\/1\.[01]\r$/;

/** Node's own error text stays inside: it describes the parser, and a message may quote the request. */
export const parserRefusal = (error: ParserError): ParserRefusal => {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return LARGE;
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return LATE;
    // The second is what the methods of RTSP get in an HTTP request.
    case "HPE_INVALID_METHOD":
    case "HPE_INVALID_CONSTANT":
      return REQUEST_LINE.test(lineOf(error)) ? METHOD : MALFORMED;
    default:
      return MALFORMED;
  }
};

/** The line at which the parser stopped. */
const lineOf = ({ rawPacket, bytesParsed = 0 }: ParserError): string => {
  if (rawPacket === undefined) return "";
  const start = bytesParsed === 0 ? 0 : rawPacket.lastIndexOf("\n", bytesParsed - 1) + 1;
  const end = rawPacket.indexOf("\n", start);
  return rawPacket.toString("latin1", start, Math.max(start, end));
};
