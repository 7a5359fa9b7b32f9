import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerOptions } from "node:http";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";
import type { TestContext } from "node:test";
import { NO_CORS } from "../src/cors/cors-answer.ts";
import { attachGuard } from "../src/guard/attach-guard.ts";
import { SERVER_OPTIONS } from "../src/guard/server-options.ts";
import type { Call, CallResult, Exchange, Upstream } from "../src/proxy/call.ts";
import { LINGER, type LingerLimits } from "../src/proxy/client-connection.ts";
import { ReverseProxy, type ReverseProxyOptions } from "../src/proxy/reverse-proxy.ts";

/** Every wait in these tests is bounded by this. */
export const within = async <T>(promise: Promise<T>, what: string, ms = 5_000): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
};

/** Values that arrive one by one, and are waited for one by one. */
export class Arrivals<T> {
  readonly all: T[] = [];
  readonly #waiting: ((value: T) => void)[] = [];
  #taken = 0;

  add(value: T): void {
    this.all.push(value);
    const next = this.#waiting.shift();
    if (next) {
      this.#taken++;
      next(value);
    }
  }

  next(what: string, ms?: number): Promise<T> {
    const value = this.all[this.#taken];
    if (value !== undefined) {
      this.#taken++;
      return Promise.resolve(value);
    }
    return within(new Promise<T>((resolve) => this.#waiting.push(resolve)), what, ms);
  }
}

export const portOf = (server: Server | TcpServer): number => (server.address() as AddressInfo).port;

export interface ScriptedUpstream {
  readonly origin: string;
  readonly connections: Arrivals<Peer>;
  readonly server: TcpServer;
}

/** One end of a TCP connection that keeps what it received, as Latin-1. */
export class Peer {
  readonly socket: Socket;
  received = "";
  closed = false;
  readonly #watchers = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => {
      this.received += chunk.toString("latin1");
      this.#notify();
    });
    socket.on("error", () => this.#notify());
    socket.on("end", () => this.#notify());
    socket.on("close", () => {
      this.closed = true;
      this.#notify();
    });
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  has(text: string, ms?: number): Promise<void> {
    return this.until(() => this.received.includes(text), `bytes '${text}'`, ms);
  }

  close(ms?: number): Promise<void> {
    return this.until(() => this.closed, "the connection's end", ms);
  }

  /** The other end has sent its last byte, or is gone. */
  over(ms?: number): Promise<void> {
    return this.until(() => this.closed || this.socket.readableEnded, "the other end's end", ms);
  }

  until(condition: () => boolean, what: string, ms?: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const check = (): void => {
      if (condition()) resolve();
    };
    this.#watchers.add(check);
    check();
    return within(promise, `${what} (received: ${this.received.slice(0, 300)})`, ms).finally(() => {
      this.#watchers.delete(check);
    });
  }

  #notify(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

/** An upstream that is a script over a raw socket; without one it says nothing. */
export const scriptedUpstream = async (
  t: TestContext,
  script: (peer: Peer, nth: number) => void = () => undefined,
): Promise<ScriptedUpstream> => {
  const connections = new Arrivals<Peer>();
  const server = createTcpServer({ allowHalfOpen: false }, (socket) => {
    const peer = new Peer(socket);
    connections.add(peer);
    script(peer, connections.all.length);
  });
  server.listen(0, "127.0.0.1");
  await within(once(server, "listening"), "listening");
  t.after(() => {
    for (const { socket } of connections.all) socket.destroy();
    server.close();
  });
  return { origin: `http://127.0.0.1:${portOf(server)}`, connections, server };
};

/** Answers every complete request head with the same bytes. */
export const answering =
  (answer: string, then: (peer: Peer) => void = () => undefined) =>
  (peer: Peer): void => {
    let answered = 0;
    peer.socket.on("data", () => {
      const heads = peer.received.split("\r\n\r\n").length - 1;
      if (heads > answered) {
        answered = heads;
        peer.send(answer);
        then(peer);
      }
    });
  };

export interface TestGateway {
  readonly port: number;
  readonly proxy: ReverseProxy;
  readonly results: Arrivals<CallResult>;
  readonly exchanges: Arrivals<Exchange>;
  readonly handled: IncomingMessage[];
}

export type GatewayOptions = Partial<Upstream> &
  Partial<Pick<Call, "responseFields" | "clientName">> &
  Pick<ReverseProxyOptions, "openFiles" | "clock" | "lookup" | "onTargetChange"> & {
    readonly linger?: LingerLimits;
    readonly server?: ServerOptions;
  };

/** A gateway without a gate: guard in front, everything forwarded to one upstream. */
export const gateway = async (t: TestContext, origin: string, options: GatewayOptions = {}): Promise<TestGateway> => {
  const { responseFields = [], clientName = "alice", clock, openFiles, lookup, onTargetChange, ...others } = options;
  const { linger = LINGER, server: overrides = {}, ...of } = others;
  const upstream: Upstream = {
    origin,
    basePath: "",
    prefix: "/api/svc",
    headers: [],
    timeoutMs: 5_000,
    idleTimeoutMs: 5_000,
    ...of,
  };
  const proxy = new ReverseProxy({
    ...(clock && { clock }),
    ...(openFiles && { openFiles }),
    ...(lookup && { lookup }),
    ...(onTargetChange && { onTargetChange }),
  });
  const results = new Arrivals<CallResult>();
  const exchanges = new Arrivals<Exchange>();
  const handled: IncomingMessage[] = [];
  const server = createServer({ ...SERVER_OPTIONS, ...overrides });
  attachGuard(server, {
    requestId: () => "refused-1",
    linger,
    handle: (incoming, outgoing, expectsContinue) => {
      handled.push(incoming);
      const exchange = proxy.forward({
        incoming,
        outgoing,
        upstream,
        rest: incoming.url ?? "",
        requestId: "req-1",
        clientName,
        clientAddress: "127.0.0.1",
        scheme: "http",
        host: incoming.headers.host,
        responseFields,
        cors: NO_CORS,
        expectsContinue,
        onEnd: (result) => results.add(result),
      });
      exchanges.add(exchange);
    },
  });
  server.listen(0, "127.0.0.1");
  await within(once(server, "listening"), "listening");
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    proxy.close();
  });
  return { port: portOf(server), proxy, results, exchanges, handled };
};

/** A raw client connection. */
export const dial = async (t: TestContext, port: number, text = ""): Promise<Peer> => {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const peer = new Peer(socket);
  t.after(() => socket.destroy());
  await within(once(socket, "connect"), "connecting");
  if (text !== "") peer.send(text);
  return peer;
};

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** One request on a connection of its own, read to the connection's end. */
export const exchange = async (t: TestContext, port: number, text: string, ms?: number): Promise<Answer> => {
  const peer = await dial(t, port, text);
  await peer.over(ms);
  return parseAnswer(peer.received);
};

export const parseAnswer = (received: string): Answer => {
  const end = received.indexOf("\r\n\r\n");
  const head = end < 0 ? received : received.slice(0, end);
  return { status: Number(head.split(" ")[1] ?? 0), head, body: end < 0 ? "" : received.slice(end + 4) };
};

/** A GET that asks for the connection to be closed. */
export const get = (path: string, fields = ""): string =>
  `GET ${path} HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\n${fields}\r\n`;
