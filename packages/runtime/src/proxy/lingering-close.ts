import type { IncomingMessage, ServerResponse } from "node:http";
import { type Problem, sendProblem } from "../http-errors.ts";
import { ClientConnection } from "./client-connection.ts";

/** An upload that is cut is over within a second at this end, too, however long its client goes on sending. */
const CUT_LINGER_MS = 500;

/** A declared body up to this size is cheaper to read and forget than a new connection. */
const SMALL_BODY = 64 * 1024;

/** Nothing behind this request is served: its answer says `Connection: close`. To be called before the answer ends. */
export const lingerOnClose = (incoming: IncomingMessage): void => {
  const connection = ClientConnection.of(incoming.socket);
  if (connection !== undefined) connection.closing = true;
};

/** The answer is the connection's last, and what the client still sends is thrown away. */
const closeBehind = (incoming: IncomingMessage, outgoing: ServerResponse, lingerMs?: number): void => {
  const connection = ClientConnection.of(incoming.socket);
  connection?.endBehind(outgoing, lingerMs);
  connection?.discard();
};

const declaresLargeBody = (incoming: IncomingMessage): boolean => {
  const { "content-length": length, "transfer-encoding": coding, expect } = incoming.headers;
  if (coding !== undefined) return true;
  // Nobody can tell whether a client that got a final answer instead of its 100 will still send the body.
  return length !== undefined && Number(length) > (expect === undefined ? SMALL_BODY : 0);
};

/**
 * For an answer that is given without reading the request's body: a small rest of it is read and forgotten, a larger
 * one costs the client its connection. To be called before the answer's header is written.
 */
export const closeIfUnread = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
  if (!incoming.complete && declaresLargeBody(incoming)) closeBehind(incoming, outgoing);
};

/**
 * Answers with a problem, also while the request's body is still arriving.
 * @param fields flat list of further header fields: name, value, name, value …
 */
export type Refuse = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  problem: Problem,
  fields?: readonly string[],
) => void;

const refusing =
  (close: (incoming: IncomingMessage, outgoing: ServerResponse) => void): Refuse =>
  (incoming, outgoing, problem, fields) => {
    close(incoming, outgoing);
    sendProblem(outgoing, problem, fields);
  };

/** Keeps the connection where that is cheaper. */
export const refuse: Refuse = refusing(closeIfUnread);

/** Closes the connection after the answer. */
export const refuseAndClose: Refuse = refusing((incoming, outgoing) => closeBehind(incoming, outgoing));

/** The same for a call that is cut, also while its request is still arriving. */
export const refuseAndCut: Refuse = refusing((incoming, outgoing) => closeBehind(incoming, outgoing, CUT_LINGER_MS));
