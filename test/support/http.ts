import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { within } from "./until.ts";

type Owner = Pick<TestContext, "after">;

export interface Upstream {
  readonly url: string;
  readonly server: Server;
  /** Requests seen so far. */
  readonly seen: { method: string; url: string; rawHeaders: string[] }[];
}

/** A real HTTP server on a free port. */
export const startUpstream = async (
  t: Owner,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  host = "127.0.0.1",
): Promise<Upstream> => {
  const seen: Upstream["seen"] = [];
  const server = createServer((request, response) => {
    seen.push({ method: request.method ?? "", url: request.url ?? "", rawHeaders: request.rawHeaders });
    handler(request, response);
  });
  await new Promise<void>((ready) => server.listen(0, host, ready));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://${host}:${(server.address() as AddressInfo).port}`, server, seen };
};

/** Answers every request with a small JSON document, once it has read the body. */
export const startEcho = (t: Owner, host?: string): Promise<Upstream> =>
  startUpstream(
    t,
    (request, response) => {
      request.resume().on("end", () => {
        response.setHeader("Content-Type", "application/json");
        response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers }));
      });
    },
    host,
  );

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** One request on a connection of its own, sent exactly as given. */
export const send = (
  url: string,
  options: {
    method?: string;
    headers?: Record<string, string | string[]>;
    body?: string | Buffer;
    timeoutMs?: number;
    /** Where it comes from, such as 127.0.0.2. */
    localAddress?: string;
  } = {},
): Promise<Answer> => {
  const answer = new Promise<Answer>((settle, reject) => {
    const { method = "GET", headers = {}, localAddress } = options;
    const request = httpRequest(url, { method, headers, agent: false, ...(localAddress && { localAddress }) });
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        settle({
          status: response.statusCode ?? 0,
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.end(options.body);
  });
  return within(`${options.method ?? "GET"} ${url}`, answer, options.timeoutMs ?? 15_000);
};

export const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });

/** The quick start's way. */
export const login = (url: string, username: string, password: string): Promise<Answer> =>
  send(`${url}/auth/token`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ username, password }).toString(),
  });

export const tokenFor = async (url: string, username: string, password: string): Promise<string> => {
  const { status, body } = await login(url, username, password);
  if (status !== 200) throw new Error(`no token: ${status} ${body}`);
  return (JSON.parse(body) as { access_token: string }).access_token;
};

/** Writes bytes to a socket and reads until the other side closes. */
export const sendRaw = (url: string, bytes: string, timeoutMs = 5_000): Promise<string> => {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect(Number(port), hostname);
  const answer = new Promise<string>((settle) => {
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", () => settle(text));
    socket.on("close", () => settle(text));
    socket.on("connect", () => socket.write(bytes, "latin1"));
  });
  return within("the connection to be closed", answer, timeoutMs).finally(() => socket.destroy());
};
