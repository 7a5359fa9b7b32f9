import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { ProblemCode } from "../http-errors.ts";
import { isTlsServer } from "../node-http.ts";
import { ClientConnection, ClientConnections, type LingerLimits } from "../proxy/client-connection.ts";
import { refuseAndClose } from "../proxy/lingering-close.ts";
import { ParkedConnection } from "../proxy/parked-connection.ts";
import type { Handle } from "../proxy/pipeline.ts";
import { isHandshake, takeTokenOut } from "../proxy/websocket/handshake.ts";
import { closeOnlyIdle } from "./close-idle.ts";
import { ALLOWED_METHODS, judgeRequest } from "./judge-request.ts";
import { type ParserError, parserRefusal } from "./parser-refusal.ts";
import { answerRaw } from "./raw-answer.ts";
import { WholeRequests } from "./whole-requests.ts";
import { answerWithoutParser } from "./without-parser.ts";
import { readWithoutUpgrade } from "./without-upgrade.ts";

export interface Guarded {
  /** Gets what passed: one valid Host, an origin-form `url`, unambiguous framing. */
  readonly handle: Handle;
  /** The id to answer a refused request with; called without one when the request could not even be read. */
  readonly requestId: (incoming?: IncomingMessage) => string;
  /** For the metrics: refused requests belong to nobody. */
  readonly onRefused?: (code: ProblemCode) => void;
  /** Further fields of the guard's own answers. */
  readonly fields?: (incoming: IncomingMessage) => readonly string[];
  readonly linger?: LingerLimits;
  /** Pipelined requests that may wait on all connections together. */
  readonly mostWaiting?: number;
}

/**
 * Puts the guard in front of a server that has no listeners yet.
 * @returns connections that the server may have lost sight of, to be closed with it
 */
export const attachGuard = (
  server: Server,
  { handle, requestId, onRefused, fields: fieldsFor = () => [], linger, mostWaiting }: Guarded,
): ClientConnections => {
  const connected = isTlsServer(server) ? "secureConnection" : "connection";
  // Node's own listener: to the others it is no new connection.
  const [parse] = server.listeners(connected);
  const connections = new ClientConnections((socket) => parse?.call(server, socket), linger, mostWaiting);
  closeOnlyIdle(server, connected);

  server.on(connected, (socket: Socket) => {
    // Node keeps the address once it was asked for; a client that has left already has none, and gets no answer.
    if (socket.remoteAddress === undefined) socket.destroy();
    else connections.track(socket);
  });

  const guard = (incoming: IncomingMessage, outgoing: ServerResponse, expectsContinue: boolean): void => {
    const connection = connections.track(incoming.socket);
    if (connection.closing) {
      // Node goes on parsing behind the last answer: what a refused request hid must not be served.
      connection.discard();
      return;
    }
    const before = connection.latest;
    const refusal = judgeRequest(incoming, before === undefined);
    connection.latest = outgoing;
    if (before !== undefined) {
      connection.reader ??= new WholeRequests(connection);
      connection.reader.expect(incoming);
    }
    if (refusal !== undefined) {
      onRefused?.(refusal.code);
      const fields = refusal.code === "method_not_allowed" ? ["Allow", ALLOWED_METHODS] : [];
      const problem = { ...refusal, requestId: requestId(incoming) };
      refuseAndClose(incoming, outgoing, problem, [...fields, ...fieldsFor(incoming)]);
      return;
    }
    // Nobody can tell what a client that asked for another protocol sends next, and in which.
    if (incoming.headers.upgrade !== undefined) connection.endBehind(outgoing);
    if (incoming.url === "*") {
      const fields = ["Allow", ALLOWED_METHODS, "X-Request-ID", requestId(incoming), ...fieldsFor(incoming)];
      outgoing.writeHead(204, fields).end();
    } else if (before === undefined || before.closed) {
      handle(incoming, outgoing, expectsContinue);
    } else {
      connection.handleBehind(before, { incoming, outgoing, expectsContinue }, handle);
    }
  };

  server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => guard(incoming, outgoing, false));
  // Without this listener Node sends the 100 before anybody has looked at the token.
  server.on("checkContinue", (incoming: IncomingMessage, outgoing: ServerResponse) => guard(incoming, outgoing, true));
  server.on("checkExpectation", (incoming: IncomingMessage, outgoing: ServerResponse) =>
    guard(incoming, outgoing, false),
  );
  server.on("upgrade", (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    if (ParkedConnection.has(socket)) return;
    if (isHandshake(incoming)) {
      connections.track(socket).leaveParser();
      const outgoing = answerWithoutParser(incoming, socket, head);
      takeTokenOut(incoming);
      guard(incoming, outgoing, false);
      return;
    }
    readWithoutUpgrade(incoming, socket, head);
    server.emit(connected, socket);
  });

  server.on("connect", (incoming: IncomingMessage, socket: Socket) => {
    const connection = connections.track(socket);
    const isLast = !connection.closing;
    connection.closing = true;
    connection.takeOver();
    connection.whenAnswered(() => {
      if (!isLast) return;
      onRefused?.("method_not_allowed");
      const detail = "This method is not allowed.";
      const problem = { code: "method_not_allowed", detail, requestId: requestId(incoming) } as const;
      answerRaw(socket, problem, [`Allow: ${ALLOWED_METHODS}`]);
    });
  });

  server.on("clientError", (error: ParserError, socket: Socket) => {
    const connection = ClientConnection.of(socket);
    if (connection?.discarding) return;
    if (connection === undefined || error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    const again = (): unknown => server.emit("clientError", error, socket);
    const isLate = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
    if (isLate && connection.excusesHeader(again, server.headersTimeout)) return;
    const { latest } = connection;
    const refuse = (): void => {
      const refusal = parserRefusal(error);
      onRefused?.(refusal.code);
      answerRaw(socket, { ...refusal, requestId: requestId() });
    };
    if (latest === undefined || latest.writableFinished) {
      refuse();
    } else if (!latest.req.complete && !latest.writableEnded) {
      connection.closing = true;
      connection.discard();
      connection.dropLatest();
      failWithin(latest, refuse);
    } else if (error.code === "HPE_INVALID_EOF_STATE") {
      // The client has left.
      socket.destroy();
    } else {
      // What follows a request, behind `Connection: close` or a wrong length, does not take its answer from it.
      connection.endBehind(latest);
      connection.discard();
    }
  });
  return connections;
};

/** The parser failed within a request's body, so this is the answer; in its turn, and not inside another one. */
const failWithin = (outgoing: ServerResponse, refuse: () => void): void => {
  // Whoever was to answer it stops now, as if the client had left.
  outgoing.emit("close");
  const answer = (): void => {
    if (outgoing.headersSent) outgoing.destroy();
    else refuse();
  };
  if (outgoing.socket === null) outgoing.once("socket", answer);
  else answer();
};
