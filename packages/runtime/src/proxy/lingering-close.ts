import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Problem, sendProblem } from "../http-errors.ts";

const LINGER_MS = 500;
const LINGER_BYTES = 1024 * 1024;
/** A declared body up to this size is cheaper to read and forget than a new connection. */
const SMALL_BODY = 64 * 1024;

const CLOSING: unique symbol = Symbol("closing");
type ClosableSocket = Socket & { [CLOSING]?: true };

/** Whether this connection has had its last answer: nothing that is still read from it may be served (RFC 9112 §9.6). */
export const isClosing = (socket: ClosableSocket): boolean => socket[CLOSING] === true;

export const markClosing = (socket: ClosableSocket): void => {
  socket[CLOSING] = true;
};

/**
 * Lets an answer with `Connection: close` reach a client that is still sending. Node destroys the socket as soon as
 * the answer is written; with request bytes unread in the kernel that is a TCP reset, which also takes the answer out
 * of the client's receive buffer (RFC 9112 §9.6). So the sending half is closed first, and what arrives is read and
 * thrown away, for at most 500 ms and 1 MiB. To be called before the answer ends.
 */
export const lingerOnClose = (incoming: IncomingMessage): void => {
  const socket: ClosableSocket = incoming.socket;
  if (isClosing(socket)) return;
  markClosing(socket);
  let lingering = false;
  let left = LINGER_BYTES;
  incoming.on("data", (chunk: Buffer) => {
    if (lingering) left -= chunk.length;
    if (left < 0) socket.destroy();
  });
  socket.destroySoon = () => {
    if (lingering) return;
    lingering = true;
    socket.end();
    const destroy = (): void => {
      socket.destroy();
    };
    const timer = setTimeout(destroy, LINGER_MS);
    socket.once("close", () => clearTimeout(timer));
    // The request may be complete already and still hold an unread end.
    if (incoming.complete) return;
    incoming.once("end", destroy);
    incoming.resume();
  };
};

const declaresLargeBody = (incoming: IncomingMessage): boolean => {
  const { "content-length": length, "transfer-encoding": coding, expect } = incoming.headers;
  if (coding !== undefined) return true;
  // Nobody can tell whether a client that got a final answer instead of its 100 will still send the body.
  return length !== undefined && Number(length) > (expect === undefined ? SMALL_BODY : 0);
};

/**
 * Answers with a problem, also while the request's body is still arriving: then the connection is closed after it.
 * @param fields flat list of further header fields: name, value, name, value …
 */
export const refuse = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  problem: Problem,
  fields: readonly string[] = [],
): void => {
  if (incoming.complete || !declaresLargeBody(incoming)) sendProblem(outgoing, problem, fields);
  else refuseAndClose(incoming, outgoing, problem, fields);
};

/** Answers with a problem and closes the connection after it. */
export const refuseAndClose = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  problem: Problem,
  fields: readonly string[] = [],
): void => {
  lingerOnClose(incoming);
  sendProblem(outgoing, problem, [...fields, "Connection", "close"]);
};

/**
 * For answers given without reading the request's body: what is left of it is read and thrown away after the answer,
 * for at most 500 ms and 1 MiB, so that the connection can be kept; a longer one costs the client its connection. To be
 * called before the answer ends.
 */
export const drainAfterAnswer = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
  // Before Node's own `finish` listener, which would go on reading for as long as the client goes on sending.
  outgoing.once("prefinish", () => {
    if (incoming.complete) return;
    const { socket } = incoming;
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    const stop = (): void => clearTimeout(timer);
    let left = LINGER_BYTES;
    incoming.on("data", (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) socket.destroy();
    });
    incoming.once("end", stop);
    incoming.once("close", stop);
    incoming.resume();
  });
};
