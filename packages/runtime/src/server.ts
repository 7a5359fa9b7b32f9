import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server as TlsServer } from "node:https";
import { type AddressInfo, Server as NetServer } from "node:net";
import { setImmediate as afterPoll, setTimeout as delay } from "node:timers/promises";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import { AigwError } from "@aigw/core/errors";
import type { Handler } from "./app.ts";
import { type CorsAnswer, NO_CORS } from "./cors/cors-answer.ts";
import type { CorsRules } from "./cors/cors-rules.ts";
import { isPreflight } from "./cors/preflight.ts";
import type { GatewayRequest } from "./gateway-env.ts";
import { attachGuard } from "./guard/attach-guard.ts";
import { boundConnections } from "./guard/bound-connections.ts";
import { pathProblem } from "./guard/path-problem.ts";
import { SERVER_OPTIONS, TLS_OPTIONS } from "./guard/server-options.ts";
import type { ProblemCode } from "./http-errors.ts";
import { nodeHttp, nodeHttps } from "./node-http.ts";
import type { OpenFiles } from "./open-files.ts";
import { ClientConnection, LINGER } from "./proxy/client-connection.ts";
import { refuse, refuseAndClose } from "./proxy/lingering-close.ts";
import { failureOf } from "./proxy/upstream-failure.ts";
import { requestIdOf } from "./request-id.ts";

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** Gets what passed the guard. */
  readonly app: Handler;
  /** From then on every answer closes its connection. */
  readonly isDraining: () => boolean;
  /** The guard refused a request. */
  readonly onMalformed: (code: ProblemCode) => void;
  /** Whether a request target is below a service that takes encoded slashes; asked for suspicious paths only. */
  readonly passesEncodedSlash?: (target: string) => boolean;
  /** With it no more connections are taken than there are file descriptors for. */
  readonly openFiles?: OpenFiles;
  /** What answers say of CORS; nothing without it. */
  readonly cors?: Pick<CorsRules, "answerTo">;
  /** What chose the address, for the error when it cannot be bound; `--host` and `--port` unless given. */
  readonly flags?: { readonly host: string; readonly port: string };
  /** With it the server speaks HTTPS only. */
  readonly tls?: { readonly context: SecureContextOptions; readonly onFailure: () => void };
}

export interface GatewayServer {
  readonly url: string;
  /** With TLS: what new connections get from now on; those that are open go on. */
  setSecureContext(context: SecureContextOptions): void;
  close(options: CloseOptions): Promise<void>;
}

export interface CloseOptions {
  /** Still accepts connections for so long, milliseconds. */
  readonly lameDuckMs: number;
  /** Then waits so long for the requests under way. */
  readonly drainMs: number;
  /** Ends what would not end by itself, as soon as no more connections are to be accepted. */
  readonly goAway?: () => void;
  /** Ends what is still under way then. */
  readonly cutOpenCalls: () => void;
}

/** The part of the file descriptors that clients may hold who have had their last answer. */
const LINGER_SHARE = 1 / 16;

const NO_ROOM = failureOf("out_of_files");

/** Answers that end a connection get so long to leave it. */
const LAST_WORDS_MS = 500;

/** guard ▶ app. @throws AigwError `failed` when the address cannot be bound */
export const listen = async (options: ListenOptions): Promise<GatewayServer> => {
  const { app, isDraining, onMalformed, tls } = options;
  const tlsServer = tls === undefined ? undefined : secureServer(tls);
  const server = tlsServer ?? nodeHttp.createServer(SERVER_OPTIONS);
  const filesLimit = options.openFiles?.limit ?? Number.POSITIVE_INFINITY;
  const isTooMany =
    options.openFiles === undefined ? () => false : boundConnections(server, options.openFiles, NO_ROOM);
  const corsOf = ({ url = "/", headers }: IncomingMessage): CorsAnswer =>
    options.cors?.answerTo(url, headers.origin) ?? NO_CORS;

  const handle = (incoming: IncomingMessage, outgoing: ServerResponse, expectsContinue: boolean): void => {
    const tooMany = isTooMany(incoming);
    const connection = ClientConnection.of(incoming.socket);
    if (tooMany) connection?.endBehind(outgoing);
    // What the client has sent on without waiting, as far as it was read, is answered, too.
    else if (isDraining()) connection?.endBehind(connection.latest ?? outgoing);
    const requestId = requestIdOf(incoming.headers["x-request-id"]);
    const target = incoming.url ?? "/";
    // Who asks whether it lives must not conclude that it has to be restarted.
    if (tooMany && target !== "/health" && target !== "/ready") {
      onMalformed("unavailable");
      refuseAndClose(incoming, outgoing, { ...NO_ROOM, requestId }, ["Retry-After", "5", ...corsOf(incoming).own]);
      return;
    }
    const query = target.indexOf("?");
    const request: GatewayRequest = { incoming, outgoing, target, requestId, expectsContinue, cors: corsOf(incoming) };
    const path = query === -1 ? target : target.slice(0, query);
    let detail = pathProblem(path);
    if (detail !== undefined && options.passesEncodedSlash?.(target) === true) detail = pathProblem(path, true);
    // What is wrong with a page's path it reads in the answer to its call, which it may only send after a preflight.
    if (detail === undefined || (isPreflight(request) && request.cors.preflight !== undefined)) {
      app(request);
      return;
    }
    onMalformed("invalid_path");
    refuse(incoming, outgoing, { code: "invalid_path", detail, requestId }, request.cors.own);
  };
  const connections = attachGuard(server, {
    handle,
    requestId: (incoming) => requestIdOf(incoming?.headers["x-request-id"]),
    onRefused: onMalformed,
    fields: (incoming) => corsOf(incoming).own,
    linger: { ...LINGER, connections: Math.min(LINGER.connections, Math.floor(filesLimit * LINGER_SHARE)) },
  });

  await new Promise<void>((ready, failed) => {
    server.once("error", (error: NodeJS.ErrnoException) => failed(bindError(error, options)));
    server.listen(options.port, options.host, ready);
  });

  const close = async ({ lameDuckMs, drainMs, goAway, cutOpenCalls }: CloseOptions): Promise<void> => {
    await delay(lameDuckMs);
    await allAccepted(server);
    stopListening(server);
    goAway?.();
    // http.Server.close() destroys connections without a request, also those whose first request is on its way.
    await delay(FIRST_REQUEST_MS);
    const closed = new Promise<void>((done) => server.close(() => done()));
    // Node closes those that are idle now, and leaves open those whose answer ends later.
    const idle = setInterval(() => server.closeIdleConnections(), 100);
    if (!(await endsWithin(closed, drainMs))) cutOpenCalls();
    if (!(await endsWithin(closed, LAST_WORDS_MS))) {
      server.closeAllConnections();
      connections.close();
    }
    await closed;
    clearInterval(idle);
  };
  return {
    url: urlOf(tls === undefined ? "http" : "https", server.address() as AddressInfo),
    setSecureContext: (context) => tlsServer?.setSecureContext(context),
    close,
  };
};

const secureServer = ({ context, onFailure }: NonNullable<ListenOptions["tls"]>): TlsServer => {
  const server = nodeHttps().createServer({ ...SERVER_OPTIONS, ...TLS_OPTIONS, ...context });
  // Node would hand a failed handshake to the guard, which could only answer in plain text.
  server.removeAllListeners("tlsClientError");
  server.on("tlsClientError", (_error: Error, socket: TLSSocket) => {
    onFailure();
    socket.destroy();
  });
  return server;
};

/** A connection taken at the last moment has so long to bring its request. */
const FIRST_REQUEST_MS = 250;

const stopListening = (server: NetServer): void => {
  NetServer.prototype.close.call(server);
};

/** Turns of the event loop that are waited at most for the system's queue of new connections to be empty. */
const ACCEPT_TURNS = 1_000;

/**
 * Closing a listener resets the connections that the system has taken and the process has not: their clients would see
 * a request fail that looked accepted. One is taken a turn, so a turn that brings none has emptied the queue.
 */
const allAccepted = async (server: NetServer): Promise<void> => {
  let fresh = true;
  const note = (): void => {
    fresh = true;
  };
  server.on("connection", note);
  for (let turn = 0; fresh && turn < ACCEPT_TURNS; turn += 1) {
    fresh = false;
    await afterPoll();
  }
  server.off("connection", note);
};

const endsWithin = async (ended: Promise<void>, ms: number): Promise<boolean> => {
  const timeout = new AbortController();
  try {
    return await Promise.race([ended.then(() => true), delay(ms, false, { signal: timeout.signal })]);
  } finally {
    timeout.abort();
  }
};

const urlOf = (scheme: "http" | "https", { address, port, family }: AddressInfo): string =>
  family === "IPv6" ? `${scheme}://[${address}]:${port}` : `${scheme}://${address}:${port}`;

const PUBLIC_FLAGS = { host: "--host", port: "--port" };

const bindError = (error: NodeJS.ErrnoException, { host, port, flags = PUBLIC_FLAGS }: ListenOptions): AigwError => {
  const where = `${host} port ${port}`;
  switch (error.code) {
    case "EADDRINUSE":
      return new AigwError(
        "failed",
        `${where} is in use already. Choose another: aigw serve ${flags.port} ${port < 65_535 ? port + 1 : port - 1}`,
        {
          cause: error,
        },
      );
    case "EACCES":
      return new AigwError("failed", `${where} needs privileges this user does not have. Choose a port above 1023.`, {
        cause: error,
      });
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new AigwError(
        "failed",
        `${host} is not an address of this machine. Use ${flags.host} 127.0.0.1 or 0.0.0.0.`,
        {
          cause: error,
        },
      );
    default:
      return new AigwError("failed", `${where} cannot be bound (${error.code ?? "unknown reason"}).`, { cause: error });
  }
};
