import { API } from "../api-target.ts";
import type { GatewayRequest } from "../gateway-env.ts";

const MAX_ASKED = 2048;
/** RFC 9110 §5.6.1: field names, separated by commas. */
const FIELD_NAMES = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*$/;

/**
 * Whether a browser asks before it sends what it was told to send. It does so without a body and without credentials,
 * and only where pages can be allowed something: the token endpoint and the services.
 */
export const isPreflight = ({ incoming, target }: GatewayRequest): boolean => {
  const { headers } = incoming;
  return (
    incoming.method === "OPTIONS" &&
    headers.origin !== undefined &&
    headers["access-control-request-method"] !== undefined &&
    (headers["content-length"] ?? "0") === "0" &&
    headers["transfer-encoding"] === undefined &&
    (target.startsWith(API) || /^\/auth\/token(?:\?|$)/.test(target))
  );
};

/** Answers it, as far as the gateway allows that origin something. @returns whether it did */
export const answerPreflight = ({ incoming, outgoing, requestId, cors }: GatewayRequest): boolean => {
  if (cors.preflight === undefined) return false;
  const asked = incoming.headers["access-control-request-headers"] ?? "";
  const fields = [...cors.preflight, "X-Request-ID", requestId];
  // All that are asked for: what a service understands is not ours to know. Not `*`, which leaves Authorization out.
  if (asked.length <= MAX_ASKED && FIELD_NAMES.test(asked)) fields.push("Access-Control-Allow-Headers", asked);
  outgoing.writeHead(204, fields).end();
  return true;
};
