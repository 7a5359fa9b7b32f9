import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Call } from "./call.ts";
import { ClientConnection } from "./client-connection.ts";
import { lingerOnClose } from "./lingering-close.ts";
import { onPassedOn, ownCopy } from "./passed-on.ts";
import type { ResponseHead } from "./upstream/response-head.ts";

/**
 * Starts the answer.
 * @param fields the upstream's, name, value, name, value …; the gateway's own are added to them
 * @param hasLength they say how long the content is
 * @param last the upload is still running. The upstream answers early and may never read the rest, so this answer has
 *   to be the connection's last.
 */
export const sendHead = (
  call: Call,
  { status, reason }: ResponseHead,
  fields: string[],
  hasLength: boolean,
  last: boolean,
): void => {
  const { incoming, outgoing, requestId, responseFields, cors, expectsContinue } = call;
  fields.push("X-Request-ID", requestId);
  for (const part of responseFields) fields.push(part);
  for (const part of cors.passed) fields.push(part);
  if (last) {
    fields.push("Connection", "close");
    lingerOnClose(incoming);
  }
  const { httpVersionMinor: minor, method } = incoming;
  const isPlain = minor === 1 && method !== "HEAD" && status >= 200 && status !== 204 && status !== 304;
  if (isPlain && hasLength && !last && outgoing.shouldKeepAlive && !expectsContinue) {
    storeHead(outgoing, status, reason, fields);
  } else outgoing.writeHead(status, reason, fields);
};

/** What Node keeps of a response: see `_http_outgoing.js`. */
type KnownResponse = ServerResponse & { _header?: string; readonly _keepAliveTimeout?: number };

/**
 * Node's `writeHead` for an answer of some length behind which the connection stays, as nearly all are: it would look at
 * every character of every field once more, and at every name for what it means.
 */
const storeHead = (outgoing: KnownResponse, status: number, reason: string, fields: readonly string[]): void => {
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  let hasDate = false;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    text += `${name}: ${fields[i + 1]}\r\n`;
    if (name.length === 4 && name.toLowerCase() === "date") hasDate = true;
  }
  if (!hasDate) text += `Date: ${httpDate()}\r\n`;
  const seconds = Math.floor((outgoing._keepAliveTimeout ?? 0) / 1000);
  outgoing.statusCode = status;
  outgoing.statusMessage = reason;
  outgoing._header = `${text}Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n\r\n`;
};

let dateAt = 0;
let dateText = "";

/** RFC 9110 §5.6.7. */
const httpDate = (): string => {
  const now = Date.now();
  const second = now - (now % 1_000);
  if (second !== dateAt) {
    dateAt = second;
    dateText = new Date(second).toUTCString();
  }
  return dateText;
};

/** Content up to this size that comes in one piece goes to the client in one string with the head, and so in one write. */
const ONE_WRITE = 8 * 1024;
/** A client that has so much to read already is told nothing on the way. */
const MAX_HELD = 64 * 1024;

/**
 * Passes on what the upstream says before its answer (103 Early Hints and the like). Told to nobody in HTTP/1.0, which
 * does not know such a thing (RFC 9110 §15.2).
 * @param fields as for {@link sendHead}
 */
export const sendInterim = ({ incoming, outgoing }: Call, { status, reason }: ResponseHead, fields: string[]): void => {
  const { socket } = outgoing;
  if (incoming.httpVersionMinor === 0 || socket === null || socket.writableLength > MAX_HELD) return;
  socket.write(headText(status, reason, fields), "latin1");
};

/** Node's own way knows one reason for each status, and no bytes beyond ASCII. */
const headText = (status: number, reason: string, fields: readonly string[]): string => {
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let i = 0; i + 1 < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return `${text}\r\n`;
};

/**
 * Tells the client that its connection speaks another protocol from now on.
 * @param fields as for {@link sendHead}, with those that say which
 * @returns the connection, which the answer has left
 */
export const sendSwitch = (call: Call, { status, reason }: ResponseHead, fields: readonly string[]): Socket => {
  const { incoming, outgoing, requestId, responseFields, cors } = call;
  const { socket } = incoming;
  socket.write(
    headText(status, reason, [...fields, "X-Request-ID", requestId, ...responseFields, ...cors.passed]),
    "latin1",
  );
  outgoing.detachSocket(socket);
  ClientConnection.of(socket)?.handOver();
  return socket;
};

/**
 * @param bytes are copied
 * @returns false: wait for `drain`
 */
export const sendContent = (outgoing: ServerResponse, bytes: Buffer, isFirst: boolean, isLast: boolean): boolean => {
  if (!isLast) {
    const copy = ownCopy(bytes);
    return outgoing.write(copy, "latin1", onPassedOn(copy));
  }
  // The end in the same write: the client need not wait for it.
  if (isFirst && bytes.length <= ONE_WRITE) outgoing.end(bytes.toString("latin1"), "latin1");
  else outgoing.end(Buffer.from(bytes));
  return true;
};

/** Sends the head alone, byte for byte: Node's `flushHeaders` encodes it anew. */
export const flushHead = (outgoing: ServerResponse): void => {
  outgoing.write("", "latin1");
};

/** Breaks the transfer off so that the client can tell that it is not complete. */
export const destroyClient = (outgoing: ServerResponse, hasLength: boolean): void => {
  // A body that ends with the connection (HTTP/1.0) looks complete at an orderly close, not at a reset.
  if (!outgoing.chunkedEncoding && !hasLength) outgoing.socket?.resetAndDestroy();
  // What counts as handed over has to be: Node collects a turn's writes, and would drop them.
  const { socket } = outgoing;
  while (socket !== null && socket.writableCorked > 0) socket.uncork();
  outgoing.destroy();
};
