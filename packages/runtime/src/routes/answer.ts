import type { GatewayRequest } from "../gateway-env.ts";
import { closeIfUnread } from "../proxy/lingering-close.ts";

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
  closeIfUnread(incoming, outgoing);
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
