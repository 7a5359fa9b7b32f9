import { spawn } from "node:child_process";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { startGatewayProcess } from "../../support/aigw.ts";
import { tokenFor } from "../../support/http.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { within } from "../../support/until.ts";
import { MarkedClient } from "../load/marked-client.ts";
import { count, never, type Row, type Run } from "../row.ts";

/** How an upstream sends more than its answers hold, and whom it does that to. */
interface Kind {
  readonly service: string;
  readonly method: string;
  readonly path: string;
  readonly body?: string;
}

const CLIENTS = 4;

/**
 * Answers each request, and sends something behind the answer, or in front of the end of the request. It reads a request
 * as it should: what is tried here is what it sends.
 */
const sloppyServer = async (run: Run, lateMs: number): Promise<string> => {
  const serve = (socket: Socket): void => {
    let text = "";
    socket.setNoDelay(true).setEncoding("latin1");
    socket.on("error", () => undefined);
    const read = (): void => {
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = text.slice(0, end);
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      const early = head.includes("/early/");
      if (early && !head.includes("answered")) {
        answer(socket, head, lateMs);
        text = `${head}\r\nanswered: 1\r\n\r\n${text.slice(end + 4)}`;
        read();
        return;
      }
      if (text.length < end + 4 + length) return;
      if (!early) answer(socket, head, lateMs);
      text = text.slice(end + 4 + length);
      read();
    };
    socket.on("data", (part: string) => {
      text += part;
      read();
    });
  };
  const server = createServer(serve).listen(0, "127.0.0.1");
  run.after(() => server.close());
  await new Promise<void>((ready) => server.once("listening", ready));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
};

const answer = (socket: Socket, head: string, lateMs: number): void => {
  const [method = "", path = ""] = head.split(" ");
  const mark = /\r\nx-mark: (\w+)/i.exec(head)?.[1] ?? "";
  const body = `${mark} ${path} ${mark}\n`;
  const [, kind = ""] = path.split("/");
  const whole = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nX-Is: ${mark}\r\n\r\n${body}`;
  if (kind === "204" || kind === "304") socket.write(`HTTP/1.1 ${kind} Nothing\r\nX-Is: ${mark}\r\n\r\n`);
  else if (kind === "chunked")
    socket.write(
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Is: ${mark}\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    );
  else socket.write(method === "HEAD" ? whole.slice(0, -body.length) : whole);
  if (kind === "mine" || kind === "early") return;
  const send = (): void => {
    if (!socket.destroyed) socket.write(kind === "garbage" ? `<p>${body}</p>` : whole);
  };
  if (lateMs === 0) send();
  else setTimeout(send, lateMs);
};

const pythonServer = async (run: Run): Promise<string> => {
  const script = join(import.meta.dirname, "../load/sloppy.py");
  const child = spawn("python3", [script], { stdio: ["ignore", "pipe", "inherit"] });
  run.after(() => child.kill("SIGKILL"));
  const port = await within("Python's http.server", new Promise((ready) => child.stdout.once("data", ready)), 15_000);
  return `http://127.0.0.1:${String(port).trim()}`;
};

const LATE_MS = 5;

export const neighbours: Row = {
  name: "neighbours",
  promise:
    "Clients on one upstream that answers HEAD, 204 and 304 with bodies, sends bytes late, answers early (node:net, and Python's http.server): 0 bytes of one answer ever reach another client",
  minutes: 10,
  needs: ["python3"],
  run: async (run) => {
    const body = "b".repeat(200_000);
    const kinds: readonly (Kind & { readonly url: () => Promise<string> })[] = [
      { service: "head", method: "HEAD", path: "/head", url: () => sloppyServer(run, LATE_MS) },
      { service: "none", method: "GET", path: "/204", url: () => sloppyServer(run, LATE_MS) },
      { service: "same", method: "GET", path: "/304", url: () => sloppyServer(run, LATE_MS) },
      { service: "late", method: "GET", path: "/length", url: () => sloppyServer(run, LATE_MS) },
      { service: "later", method: "GET", path: "/length", url: () => sloppyServer(run, 4 * LATE_MS) },
      { service: "atonce", method: "GET", path: "/length", url: () => sloppyServer(run, 0) },
      { service: "chunked", method: "GET", path: "/chunked", url: () => sloppyServer(run, LATE_MS) },
      { service: "garbage", method: "GET", path: "/garbage", url: () => sloppyServer(run, LATE_MS) },
      { service: "early", method: "POST", path: "/early", body, url: () => sloppyServer(run, 0) },
      { service: "py-head", method: "HEAD", path: "/head", url: () => pythonServer(run) },
      { service: "py-none", method: "GET", path: "/204", url: () => pythonServer(run) },
      { service: "py-same", method: "GET", path: "/304", url: () => pythonServer(run) },
      { service: "py-late", method: "GET", path: "/length", url: () => pythonServer(run) },
    ];
    // Each kind has an upstream of its own: what the gateway learns of one tells it nothing of the others.
    const services = Object.fromEntries(
      await Promise.all(kinds.map(async ({ service, url }) => [service, await url()] as const)),
    );
    const names = Array.from({ length: 2 * CLIENTS }, (_, index) => `c${index}`);
    const { home, passwords } = await prepareHome(run, {
      services,
      clients: Object.fromEntries(names.map((name) => [name, UNLIMITED])),
    });
    const { url } = await startGatewayProcess(run, home);
    const tokens: string[] = [];
    for (const name of names) tokens.push(await tokenFor(url, name, passwords[name] ?? ""));
    const each = Math.ceil(run.size(20_000, 1_040) / kinds.length / names.length);
    let foreign = 0;
    let calls = 0;
    let unanswered = 0;
    let strange = 0;
    for (const { service, method, path, body: content } of kinds) {
      const clients = tokens.map((token, number) => new MarkedClient(run, url, token, number));
      const before = { foreign, unanswered };
      await Promise.all(
        clients.map(async (client, number) => {
          const provokes = number < CLIENTS;
          for (let n = 0; n < each; n += 1) {
            const { status, own } = provokes
              ? await client.call(method, `/api/${service}${path}`, content)
              : await client.call("GET", `/api/${service}/mine`);
            calls += 1;
            if (status === 0 || status >= 500) unanswered += 1;
            else if (!provokes && (status !== 200 || !own)) strange += 1;
          }
          client.close();
        }),
      );
      foreign += clients.reduce((sum, client) => sum + client.foreign, 0);
      run.say(
        `${service}: ${count(each * names.length)} calls, ${unanswered - before.unanswered} without an answer of the service, ${foreign - before.foreign} with a byte of another`,
      );
    }
    return [
      never("calls that got a byte of another's answer", foreign, calls),
      never("answers to clean calls that were not theirs", strange, calls),
      never("calls without an answer of the service", unanswered, calls),
    ];
  },
};
