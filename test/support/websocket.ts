import { type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import WebSocket, { type ClientOptions, type ServerOptions, WebSocketServer } from "ws";
import { within } from "./until.ts";

type Owner = Pick<TestContext, "after">;

export interface SocketService {
  readonly url: string;
  readonly server: WebSocketServer;
  /** Handshakes that were accepted, in order. */
  readonly seen: IncomingMessage[];
  /** The service's end of each. */
  readonly sockets: WebSocket[];
  /** How each that has ended was closed. */
  readonly closed: { code: number; reason: string }[];
}

/** A real WebSocket server that sends back what it gets, unless told otherwise. */
export const startSocketService = async (
  t: Owner,
  options: ServerOptions = {},
  onSocket: (socket: WebSocket, request: IncomingMessage) => void = echo,
): Promise<SocketService> => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, maxPayload: 64 * 1024 * 1024, ...options });
  const service: Omit<SocketService, "url" | "server"> = { seen: [], sockets: [], closed: [] };
  server.on("connection", (socket, incoming) => {
    service.seen.push(incoming);
    service.sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("close", (code, reason) => service.closed.push({ code, reason: reason.toString() }));
    onSocket(socket, incoming);
  });
  await new Promise((ready) => server.once("listening", ready));
  t.after(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, ...service };
};

export const echo = (socket: WebSocket): void => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
};

export interface OpenSocket {
  readonly socket: WebSocket;
  readonly answer: IncomingMessage;
  readonly closed: Promise<{ code: number; reason: string; at: number }>;
  /** The next message. */
  next(): Promise<Buffer | string>;
}

/** @param url of the gateway or service, `http:` */
export const openSocket = async (
  url: string,
  options: ClientOptions & { protocols?: string[] } = {},
): Promise<OpenSocket> => {
  const { protocols = [], ...rest } = options;
  const socket = new WebSocket(url.replace(/^http/, "ws"), protocols, { maxPayload: 64 * 1024 * 1024, ...rest });
  const messages: (Buffer | string)[] = [];
  const waiting: ((message: Buffer | string) => void)[] = [];
  socket.on("message", (data: Buffer, isBinary) => {
    const message = isBinary ? data : data.toString();
    const next = waiting.shift();
    if (next) next(message);
    else messages.push(message);
  });
  const closed = new Promise<{ code: number; reason: string; at: number }>((settle) =>
    socket.on("close", (code, reason) => settle({ code, reason: reason.toString(), at: performance.now() })),
  );
  const answer = await within(
    `the socket ${url}`,
    new Promise<IncomingMessage>((settle, reject) => {
      let upgrade: IncomingMessage | undefined;
      socket.on("upgrade", (response) => {
        upgrade = response;
      });
      socket.on("open", () => settle(upgrade as IncomingMessage));
      socket.on("error", reject);
    }),
  );
  socket.on("error", () => undefined);
  const next = (): Promise<Buffer | string> => {
    const message = messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    return within("a message", new Promise<Buffer | string>((settle) => waiting.push(settle)), 30_000);
  };
  return { socket, answer, closed, next };
};

/** What a client sends that wants a WebSocket, as raw text. */
export const handshake = (path: string, fields: readonly string[] = []): string =>
  [
    `GET ${path} HTTP/1.1`,
    "Host: a",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...fields,
    "",
    "",
  ].join("\r\n");

/** Of {@link handshake}, as RFC 6455 §1.3 has it. */
export const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

export const switched = (fields: readonly string[] = []): string =>
  [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${ACCEPT}`,
    ...fields,
    "",
    "",
  ].join("\r\n");

/** One that is refused, or answered without a switch. */
export const refusedSocket = (
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: IncomingMessage["headers"]; body: string }> =>
  within(
    "the refusal",
    new Promise((settle, reject) => {
      const sent = request(url, {
        agent: false,
        headers: {
          Connection: "Upgrade",
          Upgrade: "websocket",
          "Sec-WebSocket-Version": "13",
          "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
          ...headers,
        },
      });
      sent.on("error", reject);
      sent.on("upgrade", (_answer, socket) => {
        socket.destroy();
        reject(new Error("it was upgraded"));
      });
      sent.on("response", (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        response.on("end", () => settle({ status: response.statusCode ?? 0, headers: response.headers, body }));
      });
      sent.end();
    }),
  );
