import type { GatewayRequest } from "../gateway-env.ts";
import { drainAfterAnswer } from "../proxy/lingering-close.ts";

/**
 * A small answer on Node's own response.
 * @param fields flat list of further header fields: name, value, name, value …
 */
export const answer = (
  { incoming, outgoing, requestId, cors }: GatewayRequest,
  status: number,
  body: string | Buffer,
  fields: readonly string[],
): void => {
  // Nearly every request to what is answered here has no body, and its end need not be watched for.
  const { "content-length": length, "transfer-encoding": coding } = incoming.headers;
  if (!incoming.complete && (length !== undefined || coding !== undefined)) drainAfterAnswer(incoming, outgoing);
  const head = ["X-Request-ID", requestId, ...fields, ...cors.own];
  // RFC 9110 §8.6: a 304 names no other length than the document's own.
  if (status !== 304) head.push("Content-Length", String(Buffer.byteLength(body)));
  outgoing.writeHead(status, head).end(body);
};

export const answerJson = (
  request: GatewayRequest,
  status: number,
  body: string,
  fields: readonly string[] = [],
): void => answer(request, status, body, ["Content-Type", "application/json", ...fields]);
