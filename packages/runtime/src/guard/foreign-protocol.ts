import type { IncomingMessage } from "node:http";

/** What Node's parser takes for a request of RTSP or of ICE, and of nothing else. */
const FOREIGN_METHODS = new Set([
  "ANNOUNCE",
  "DESCRIBE",
  "FLUSH",
  "GET_PARAMETER",
  "PAUSE",
  "PLAY",
  "RECORD",
  "REDIRECT",
  "SETUP",
  "SET_PARAMETER",
  "TEARDOWN",
]);

interface Parser {
  /** A copy of the bytes of the read that is being parsed. */
  getCurrentBuffer?(): Buffer;
}

/**
 * Whether a request that Node's parser took is one of RTSP or ICE. It takes `GET / RTSP/1.0`, too, and does not say so:
 * then the bytes have to be looked at, a copy of all that was read. That takes 2 µs, so it is done for those that could
 * be meant: the first of a connection, and what is not plain HTTP/1.1. A request line that came in an earlier read than
 * the end of its header is not seen.
 */
export const isForeignProtocol = (incoming: IncomingMessage, isFirst: boolean): boolean => {
  const { method = "" } = incoming;
  if (FOREIGN_METHODS.has(method)) return true;
  return (
    (isFirst || incoming.httpVersionMinor === 0 || method === "OPTIONS" || method === "SOURCE") && saysSo(incoming)
  );
};

const saysSo = (incoming: IncomingMessage): boolean => {
  const { parser } = incoming.socket as { parser?: Parser };
  const read = parser?.getCurrentBuffer?.();
  if (read === undefined || (!read.includes(" RTSP/") && !read.includes(" ICE/"))) return false;
  const line = `${incoming.method} ${incoming.url} `;
  for (let at = read.indexOf(line, 0, "latin1"); at >= 0; at = read.indexOf(line, at + 1, "latin1")) {
    if (/^ *(?:RTSP|ICE)\//.test(read.toString("latin1", at + line.length, at + line.length + 64))) return true;
  }
  return false;
};
