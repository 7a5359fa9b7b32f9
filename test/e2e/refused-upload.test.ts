import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { type RunningGateway, startGatewayProcess } from "../support/aigw.ts";
import { bearer, sendRaw, startEcho, tokenFor, type Upstream } from "../support/http.ts";
import { prepareHome, UNLIMITED } from "../support/prepared-home.ts";
import { AT_FULL_SIZE, rounds } from "../support/rounds.ts";
import { within } from "../support/until.ts";

const cleanUps: (() => unknown)[] = [];
const owner = { after: (work: () => unknown): void => void cleanUps.push(work) };
let echo: Upstream;
let gateway: RunningGateway;
let john = "";
let limited = "";

before(async () => {
  echo = await startEcho(owner);
  const { home, passwords } = await prepareHome(owner, {
    services: { echo: echo.url, gone: "http://127.0.0.1:1" },
    clients: { john: UNLIMITED, limited: { limit: 1 } },
  });
  gateway = await startGatewayProcess(owner, home);
  john = await tokenFor(gateway.url, "john", passwords["john"] ?? "");
  limited = await tokenFor(gateway.url, "limited", passwords["limited"] ?? "");
  await fetch(`${gateway.url}/api/echo`, { headers: bearer(limited) });
});
after(async () => {
  for (const work of cleanUps.reverse()) await work();
});

const LARGE = Buffer.alloc(20_000_000, "x");
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

/** By status, or by the error's code. */
const tally = async (path: string, times: number, headers: Record<string, string>, body = LARGE): Promise<object> => {
  const counts: Record<string, number> = {};
  for (let i = 0; i < times; i += 1) {
    const outcome = await fetch(gateway.url + path, { method: "POST", headers, body }).then(
      async (answer) => {
        await answer.text();
        return answer.status;
      },
      (error: { cause?: { code?: string } }) => error.cause?.code ?? "no answer",
    );
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
};

/** Reads only when all is written, as Python's http.client does. */
const writeThenRead = async (head: string, body: Buffer): Promise<string> => {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  socket.pause().write(head, "latin1");
  const written = new Promise<void>((settle, reject) => {
    socket.on("error", reject);
    socket.write(body, () => settle());
  });
  await within("the upload", written);
  let text = "";
  socket.setEncoding("latin1").on("data", (part: string) => {
    text += part;
  });
  socket.resume();
  await within("the answer", once(socket, "end"), 30_000);
  socket.destroy();
  return text;
};

describe("a refused upload gets its answer", () => {
  it("whatever it is refused for, from a client that is still sending", async () => {
    const times = rounds(AT_FULL_SIZE ? 15 : 6);
    assert.deepEqual(await tally("/api/echo", times, { Authorization: "Bearer bad" }), { 401: times });
    assert.deepEqual(await tally("/auth/token", times, FORM, LARGE.subarray(0, 5_000_000)), { 413: times });
    const few = rounds(3);
    assert.deepEqual(await tally("/health", few, {}), { 405: few });
    assert.deepEqual(await tally("/api/none", few, bearer(john)), { 404: few });
    assert.deepEqual(await tally("/api/echo", few, bearer(limited)), { 429: few });
    assert.deepEqual(await tally("/api/gone", few, bearer(john)), { 502: few });
  });

  it("also from one that reads only when it has sent everything, with a length or in chunks", async () => {
    const head = "POST /api/echo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer bad\r\n";
    const chunks = Buffer.concat([
      Buffer.from(`${LARGE.length.toString(16)}\r\n`),
      LARGE,
      Buffer.from("\r\n0\r\n\r\n"),
    ]);
    for (let i = 0; i < rounds(3); i += 1) {
      assert.match(await writeThenRead(`${head}Content-Length: ${LARGE.length}\r\n\r\n`, LARGE), /^HTTP\/1\.1 401 /);
      assert.match(await writeThenRead(`${head}Transfer-Encoding: chunked\r\n\r\n`, chunks), /^HTTP\/1\.1 401 /);
    }
  });

  it("and costs the gateway neither memory nor its other clients", { skip: process.platform !== "linux" }, async () => {
    const resident = (): number =>
      Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${gateway.pid}/status`, "utf8"))?.[1]) / 1024;
    const before = resident();
    const { hostname, port } = new URL(gateway.url);
    const sockets = Array.from({ length: 600 }, () =>
      connect({ port: Number(port), host: hostname, allowHalfOpen: true }),
    );
    const answered = sockets.map(async (socket) => {
      socket.on("error", () => undefined);
      socket.write("POST /api/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
      socket.write(LARGE.subarray(0, 100_000));
      return String((await once(socket, "data"))[0]);
    });
    for (const answer of await within("600 refusals", Promise.all(answered))) assert.match(answer, /^HTTP\/1\.1 401 /);
    assert.equal((await fetch(`${gateway.url}/health`)).status, 200);
    const grown = resident() - before;
    for (const socket of sockets) socket.destroy();
    assert.ok(grown < 64, `${grown.toFixed(1)} MiB`);
  });
});

describe("what follows a request", () => {
  it("neither takes its answer nor is served, at any address", async () => {
    const seen = echo.seen.length;
    const behind = `GET /api/echo/behind HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${john}\r\n\r\n`;
    const requests: Record<string, number> = {
      "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n": 200,
      "GET /health HTTP/1.0\r\n\r\n": 200,
      [`POST /auth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\nContent-Length: 3\r\n\r\na=b`]: 400,
      "GET /api/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n": 401,
      "GET /health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n": 200,
    };
    for (const [request, status] of Object.entries(requests)) {
      for (const tail of [behind, "x", "\x00\x01\r\n\r\n"]) {
        const answer = await sendRaw(gateway.url, request + tail);
        assert.deepEqual(answer.match(/HTTP\/1\.1 \d{3}/g), [`HTTP/1.1 ${status}`], request + tail);
      }
    }
    const called = `GET /api/echo/last HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${john}\r\nConnection: close\r\n\r\n`;
    assert.match(await sendRaw(gateway.url, called + behind), /^HTTP\/1\.1 200 .*"url":"\/last".*$/s);
    assert.deepEqual(
      echo.seen.slice(seen).map(({ url }) => url),
      ["/last"],
    );
  });
});
