import type { ServerResponse } from "node:http";
import type { Call } from "./call.ts";
import { lingerOnClose } from "./lingering-close.ts";

/**
 * Starts the answer.
 * @param fields the upstream's, name, value, name, value …; the gateway's own are added to them
 * @param last the upload is still running. The upstream answers early and may never read the rest, so this answer has
 *   to be the connection's last.
 */
export const sendHead = (call: Call, status: number, reason: string, fields: string[], last: boolean): void => {
  const { incoming, outgoing, requestId, responseFields, cors } = call;
  fields.push("X-Request-ID", requestId);
  for (const part of responseFields) fields.push(part);
  for (const part of cors.passed) fields.push(part);
  if (last) {
    fields.push("Connection", "close");
    lingerOnClose(incoming);
  }
  outgoing.writeHead(status, reason, fields);
};

/** Breaks the transfer off so that the client can tell that it is not complete. */
export const destroyClient = (outgoing: ServerResponse, hasLength: boolean): void => {
  // A body that ends with the connection (HTTP/1.0) looks complete at an orderly close, not at a reset.
  if (!outgoing.chunkedEncoding && !hasLength) outgoing.socket?.resetAndDestroy();
  outgoing.destroy();
};
