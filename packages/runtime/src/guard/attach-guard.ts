import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { ProblemCode } from "../http-errors.ts";
import { isClosing, markClosing, refuseAndClose } from "../proxy/lingering-close.ts";
import { ALLOWED_METHODS, judgeRequest, type Refusal } from "./judge-request.ts";
import { answerRaw } from "./raw-answer.ts";

export interface Guarded {
  /** Gets what passed: one valid Host, an origin-form `url`, unambiguous framing. */
  readonly handle: (incoming: IncomingMessage, outgoing: ServerResponse, expectsContinue: boolean) => void;
  /** The id to answer a refused request with; called without one when the request could not even be read. */
  readonly requestId: (incoming?: IncomingMessage) => string;
  /** For the metrics: refused requests belong to nobody. */
  readonly onRefused?: (code: ProblemCode) => void;
  /** Further fields of the guard's own answers. */
  readonly fields?: (incoming: IncomingMessage) => readonly string[];
}

type TrackedSocket = Socket & { [LATEST]?: ServerResponse };
/** The response to the latest request on a connection: needed when the parser fails, and Node does not say it then. */
const LATEST: unique symbol = Symbol("latest response");

/**
 * Puts the guard in front of a server that has no listeners yet. There is no `upgrade` listener on purpose: without
 * one Node treats a request with `Upgrade` as the plain request it also is (RFC 9110 §7.8).
 */
export const attachGuard = (
  server: Server,
  { handle, requestId, onRefused, fields: fieldsFor = () => [] }: Guarded,
): void => {
  const guard = (incoming: IncomingMessage, outgoing: ServerResponse, expectsContinue: boolean): void => {
    const socket: TrackedSocket = incoming.socket;
    // Node goes on parsing behind an answer that closes the connection: what a refused request hid must not be served.
    if (isClosing(socket)) return;
    socket[LATEST] = outgoing;
    const refusal = judgeRequest(incoming);
    if (refusal !== undefined) {
      onRefused?.(refusal.code);
      const fields = refusal.code === "method_not_allowed" ? ["Allow", ALLOWED_METHODS] : [];
      refuseAndClose(incoming, outgoing, { ...refusal, requestId: requestId(incoming) }, [
        ...fields,
        ...fieldsFor(incoming),
      ]);
    } else if (incoming.url === "*") {
      const fields = ["Allow", ALLOWED_METHODS, "X-Request-ID", requestId(incoming), ...fieldsFor(incoming)];
      outgoing.writeHead(204, fields).end();
    } else {
      handle(incoming, outgoing, expectsContinue);
    }
  };

  server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => guard(incoming, outgoing, false));
  // Without this listener Node sends the 100 before anybody has looked at the token.
  server.on("checkContinue", (incoming: IncomingMessage, outgoing: ServerResponse) => guard(incoming, outgoing, true));
  server.on("checkExpectation", (incoming: IncomingMessage, outgoing: ServerResponse) =>
    guard(incoming, outgoing, false),
  );

  server.on("connect", (incoming: IncomingMessage, socket: Socket) => {
    // The parser has let go of the socket, and with it its error listener.
    socket.on("error", () => socket.destroy());
    socket.resume();
    onRefused?.("method_not_allowed");
    const detail = "This method is not allowed.";
    const problem = { code: "method_not_allowed", detail, requestId: requestId(incoming) } as const;
    answerRaw(socket, problem, [`Allow: ${ALLOWED_METHODS}`]);
  });

  server.on("clientError", (error: Error & { code?: string }, socket: TrackedSocket) => {
    const pending = socket[LATEST];
    // Several responses may be outstanding, or a part of one sent: bytes of ours would land inside another answer.
    const inTheWay = pending !== undefined && !pending.writableFinished && (pending.headersSent || !ownsError(pending));
    if (error.code === "ECONNRESET" || !socket.writable || isClosing(socket) || inTheWay) {
      socket.destroy();
      return;
    }
    markClosing(socket);
    const refusal = parserRefusal(error.code);
    onRefused?.(refusal.code);
    answerRaw(socket, { ...refusal, requestId: requestId() });
  });
};

/** Whether the parser failed within the body of the request that this response belongs to, and not in a later one. */
const ownsError = (pending: ServerResponse): boolean => !pending.req.complete && pending.socket !== null;

/** Node's own error text stays inside: it describes the parser, and a message may quote the request. */
const parserRefusal = (
  code: string | undefined,
): { code: Refusal["code"] | "headers_too_large" | "request_timeout"; detail: string } => {
  if (code === "HPE_HEADER_OVERFLOW") {
    return { code: "headers_too_large", detail: "The request's header fields are too large." };
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return { code: "request_timeout", detail: "The request's header did not arrive in time." };
  }
  return { code: "invalid_request", detail: "The request is not valid HTTP/1.1." };
};
