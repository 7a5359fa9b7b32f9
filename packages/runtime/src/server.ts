import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { AigwError } from "@aigw/core";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import type { GatewayBindings, GatewayEnv } from "./gateway-env.ts";
import { attachGuard } from "./guard/attach-guard.ts";
import { pathProblem } from "./guard/path-problem.ts";
import { SERVER_OPTIONS } from "./guard/server-options.ts";
import type { ProblemCode } from "./http-errors.ts";
import { drainAfterAnswer, refuse } from "./proxy/lingering-close.ts";
import { requestIdOf } from "./request-id.ts";

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly app: Hono<GatewayEnv>;
  /** From then on every answer closes its connection. */
  readonly isDraining: () => boolean;
  /** The guard refused a request. */
  readonly onMalformed: (code: ProblemCode) => void;
}

export interface GatewayServer {
  readonly url: string;
  close(options: CloseOptions): Promise<void>;
}

export interface CloseOptions {
  /** Still accepts connections for so long, milliseconds. */
  readonly lameDuckMs: number;
  /** Then waits so long for the requests under way. */
  readonly drainMs: number;
  /** Ends what is still under way then. */
  readonly cutOpenCalls: () => void;
}

/** Answers that end a connection get so long to leave it. */
const LAST_WORDS_MS = 500;

/** guard ▶ Hono. @throws AigwError `failed` when the address cannot be bound */
export const listen = async (options: ListenOptions): Promise<GatewayServer> => {
  const { app, isDraining, onMalformed } = options;
  const server = createServer(SERVER_OPTIONS);
  const bindings = new WeakMap<IncomingMessage, GatewayBindings>();
  const serve = getRequestListener(
    (request, env) => app.fetch(request, bindings.get(env.incoming as IncomingMessage)),
    { overrideGlobalObjects: false, autoCleanupIncoming: false },
  );

  const handle = (incoming: IncomingMessage, outgoing: ServerResponse, expectsContinue: boolean): void => {
    if (isDraining()) outgoing.shouldKeepAlive = false;
    const requestId = requestIdOf(incoming.headers["x-request-id"]);
    const target = incoming.url ?? "/";
    const query = target.indexOf("?");
    const detail = pathProblem(query === -1 ? target : target.slice(0, query));
    if (detail !== undefined) {
      onMalformed("invalid_path");
      refuse(incoming, outgoing, { code: "invalid_path", detail, requestId });
      return;
    }
    if (!target.startsWith("/api/")) drainAfterAnswer(incoming, outgoing);
    bindings.set(incoming, { incoming, outgoing, target, requestId, expectsContinue });
    void serve(incoming, outgoing);
  };
  attachGuard(server, {
    handle,
    requestId: (incoming) => requestIdOf(incoming?.headers["x-request-id"]),
    onRefused: onMalformed,
  });

  await new Promise<void>((ready, failed) => {
    server.once("error", (error: NodeJS.ErrnoException) => failed(bindError(error, options)));
    server.listen(options.port, options.host, ready);
  });

  const close = async ({ lameDuckMs, drainMs, cutOpenCalls }: CloseOptions): Promise<void> => {
    await delay(lameDuckMs);
    const closed = new Promise<void>((done) => server.close(() => done()));
    if (!(await endsWithin(closed, drainMs))) cutOpenCalls();
    if (!(await endsWithin(closed, LAST_WORDS_MS))) server.closeAllConnections();
    await closed;
  };
  return { url: urlOf(server.address() as AddressInfo), close };
};

const endsWithin = async (ended: Promise<void>, ms: number): Promise<boolean> => {
  const timeout = new AbortController();
  try {
    return await Promise.race([ended.then(() => true), delay(ms, false, { signal: timeout.signal })]);
  } finally {
    timeout.abort();
  }
};

const urlOf = ({ address, port, family }: AddressInfo): string =>
  family === "IPv6" ? `http://[${address}]:${port}` : `http://${address}:${port}`;

const bindError = (error: NodeJS.ErrnoException, { host, port }: ListenOptions): AigwError => {
  const where = `${host} port ${port}`;
  switch (error.code) {
    case "EADDRINUSE":
      return new AigwError("failed", `${where} is in use already. Choose another: aigw serve --port 8081`, {
        cause: error,
      });
    case "EACCES":
      return new AigwError("failed", `${where} needs privileges this user does not have. Choose a port above 1023.`, {
        cause: error,
      });
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new AigwError("failed", `${host} is not an address of this machine. Use --host 127.0.0.1 or 0.0.0.0.`, {
        cause: error,
      });
    default:
      return new AigwError("failed", `${where} cannot be bound (${error.code ?? "unknown reason"}).`, { cause: error });
  }
};
