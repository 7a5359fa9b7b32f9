import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import fc from "fast-check";
import { selfSigned } from "../../../test/support/certificate.ts";
import { until } from "../../../test/support/until.ts";
import { attachGuard } from "../src/guard/attach-guard.ts";
import { SERVER_OPTIONS, TLS_OPTIONS } from "../src/guard/server-options.ts";
import { readWholeHead } from "../src/guard/whole-head.ts";
import { ClientConnection } from "../src/proxy/client-connection.ts";
import { Peer, portOf, within } from "./proxy-fixtures.ts";

const HOST = "Host: a\r\n";
const get = (path: string, fields = ""): string => `GET ${path} HTTP/1.1\r\n${HOST}${fields}\r\n`;
const post = (path: string, content: string, fields = ""): string =>
  `POST ${path} HTTP/1.1\r\n${HOST}Content-Length: ${content.length}\r\n${fields}\r\n${content}`;

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly fields: readonly string[];
  readonly headers: IncomingMessage["headers"];
  readonly content: string;
}

const seen = async (incoming: IncomingMessage): Promise<Seen> => {
  const { method, url } = incoming;
  const fields = [...incoming.rawHeaders];
  const headers = { ...incoming.headers };
  const parts: Buffer[] = [];
  for await (const part of incoming as AsyncIterable<Buffer>) parts.push(part);
  return { method, url, fields, headers, content: Buffer.concat(parts).toString("latin1") };
};

const isWhole = (socket: Socket): boolean => ClientConnection.of(socket)?.reader?.isReading === true;

interface Site {
  readonly requests: Seen[];
  readonly sockets: Socket[];
  readonly server: Server;
  dial(): Promise<Peer>;
}

/** A guarded server that answers each request with its method, target and content. Those to `/late` it does not answer. */
const site = async (t: TestContext, options: ServerOptions & { secure?: boolean } = {}): Promise<Site> => {
  const { secure = false, ...others } = options;
  const pair = secure ? selfSigned("one") : undefined;
  const server = pair
    ? createTlsServer({ ...SERVER_OPTIONS, ...TLS_OPTIONS, ...others, ...pair })
    : createServer({ ...SERVER_OPTIONS, ...others });
  const requests: Seen[] = [];
  const sockets: Socket[] = [];
  attachGuard(server, {
    requestId: () => "refused-1",
    handle: (incoming, outgoing) => {
      sockets.push(incoming.socket);
      void seen(incoming).then(
        (request) => {
          requests.push(request);
          if (request.url?.startsWith("/late") !== true) {
            outgoing.end(`${request.method} ${request.url} ${request.content};`);
          }
        },
        () => undefined,
      );
    },
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const dial = async (): Promise<Peer> => {
    const port = portOf(server);
    const socket = secure
      ? connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false })
      : connect({ port, host: "127.0.0.1" });
    t.after(() => socket.destroy());
    const peer = new Peer(socket);
    await within(once(socket, secure ? "secureConnect" : "connect"), "connecting");
    return peer;
  };
  return { requests, sockets, server, dial };
};

/** A connection that is read whole. */
const whole = async (t: TestContext, options: Parameters<typeof site>[1] = {}) => {
  const gw = await site(t, options);
  const client = await gw.dial();
  for (const path of ["/w1", "/w2"]) {
    client.send(get(path));
    await client.has(`GET ${path} ;`);
  }
  const socket = gw.sockets[0];
  assert.ok(socket);
  await until("the connection to be read whole", () => isWhole(socket));
  client.received = "";
  gw.requests.length = 0;
  return { ...gw, client, socket };
};

describe("the head of a request that comes whole", () => {
  const BASES = [
    get("/api/ocr/v1?x=1&y=%20", "Authorization: Bearer abc.def-_\r\nAccept: */*\r\nConnection: keep-alive\r\n"),
    post(
      "/api/x",
      "hello",
      "X-One:  two \t\r\nX-Empty:\r\nX-Empty: 2\r\nX-High: \xe4\xff\r\nCookie: a=1\r\nCookie: b=2\r\n",
    ),
    `PUT /a HTTP/1.1\r\nhost:b\r\ncontent-length:0\r\n\r\n`,
    `DELETE / HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    get("/ws", "Upgrade: websocket\r\nConnection: Upgrade\r\n"),
    get("/e", "Expect: 100-continue\r\nTrailer: x\r\nProxy-Connection: close\r\n"),
  ];
  const PIECES = [
    "",
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    "\0",
    "\x7f",
    "\x80",
    "\xff",
    "#",
    "?",
    "%",
    "//",
    "x",
    "1",
    "Content-Length: 5\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: 5, 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding\t: x\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive, x\r\n",
    "Upgrade: h2c\r\n",
    "__proto__: 1\r\n",
    " folded\r\n",
    '"<>\\^`{|}',
    "HTTP/1.0",
    "http://u@b/",
    "PATCH",
    "M-SEARCH",
  ];
  const mutation = fc.record({
    at: fc.nat({ max: 130 }),
    cut: fc.nat({ max: 4 }),
    put: fc.constantFrom(...PIECES),
  });
  const mutated = fc
    .tuple(fc.constantFrom(...BASES), fc.array(mutation, { minLength: 0, maxLength: 3 }))
    .map(([text, mutations]) =>
      mutations.reduce((now, { at, cut, put }) => now.slice(0, at) + put + now.slice(at + cut), text),
    );

  test("is what Node's strict parser reads, or left to it", async (t) => {
    let latest = Promise.withResolvers<Seen | undefined>();
    const server = createServer({ ...SERVER_OPTIONS }, (incoming, outgoing) => {
      void seen(incoming)
        .then(latest.resolve, () => latest.resolve(undefined))
        .then(() => outgoing.end());
    });
    server.on("clientError", (error: Error & { code?: string }, socket) => {
      // Not that the connection before this one was left.
      if (error.code?.startsWith("HPE_") === true) latest.resolve(undefined);
      socket.destroy();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const counts = { read: 0, left: 0 };
    await fc.assert(
      fc.asyncProperty(mutated, async (text) => {
        const head = readWholeHead(text);
        if (head === undefined || text.length !== head.text.length + head.length) {
          counts.left += 1;
          return;
        }
        counts.read += 1;
        latest = Promise.withResolvers();
        const socket = connect({ port: portOf(server), host: "127.0.0.1" });
        socket.on("error", () => undefined);
        socket.write(text, "latin1");
        const read = await within(latest.promise, "Node's reading");
        socket.destroy();
        const { method, target, fields } = head;
        const content = text.slice(head.text.length);
        assert.deepEqual(
          { method, url: target, fields, content },
          read && { method: read.method, url: read.url, fields: read.fields, content: read.content },
          JSON.stringify(text),
        );
      }),
      { numRuns: 2_000 },
    );
    assert.ok(counts.read > 200 && counts.left > 200, JSON.stringify(counts));
  });

  test("is left to Node where it says how its content is framed, or what its connection does next", () => {
    for (const field of [
      "Transfer-Encoding: chunked",
      "Upgrade: websocket",
      "Expect: 100-continue",
      "Connection: close",
      "Connection: keep-alive, X-Hop",
      "Proxy-Connection: close",
      "Trailer: X-Sum",
      "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
      "Content-Length: 1, 1",
      "Content-Length: -1",
      "Content-Length: 1234567890",
      "Content-Length: 0\r\nContent-Length: 0",
    ]) {
      assert.equal(readWholeHead(get("/x", `${field}\r\n`)), undefined, field);
      assert.equal(readWholeHead(get("/x", `${field.toUpperCase()}\r\n`)), undefined, field.toUpperCase());
    }
    const fields = Array.from({ length: 64 }, (_, n) => `X-${n}: ${n}\r\n`).join("");
    assert.equal(readWholeHead(get("/x", fields)), undefined, "65 fields");
    assert.equal(readWholeHead(get("/x", `X-Long: ${"x".repeat(8 * 1024)}\r\n`)), undefined, "over 8 KiB");
    assert.equal(readWholeHead(get(`/${"x".repeat(8 * 1024)}`)), undefined, "over 8 KiB");
    assert.notEqual(readWholeHead(get("/x", "Connection: Keep-Alive\r\n")), undefined);
  });
});

describe("a connection whose requests come whole", () => {
  for (const secure of [false, true]) {
    test(`has them served as by Node's parser${secure ? ", over TLS" : ""}`, async (t) => {
      const { client, requests, socket, dial } = await whole(t, { secure });
      const texts = [
        post("/a", "one", "Content-Type: text/plain\r\nX-A: 1\r\nX-A: 2\r\n"),
        post("/a", "two", "Content-Type: text/plain\r\nX-A: 1\r\nX-A: 2\r\n"),
        post("/a", "three", "Content-Type: text/plain\r\nX-A: 1\r\nX-A: 2\r\n"),
        get("/b?c=d", "Cookie: a=1\r\ncookie: b=2\r\n"),
        get("/b?c=d", "Cookie: a=1\r\ncookie: b=2\r\n"),
        `DELETE /c HTTP/1.1\r\n${HOST}\r\n`,
        `PATCH /c HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`,
        post("/large", "x".repeat(8_000)),
      ];
      for (const [at, text] of texts.entries()) {
        client.send(text);
        await until("the answer", () => requests.length === at + 1);
        await client.has(`${requests[at]?.method} ${requests[at]?.url} ${requests[at]?.content};`);
        assert.ok(isWhole(socket), text.slice(0, 20));
      }
      const here = [...requests];
      for (const [at, text] of texts.entries()) {
        const other = await dial();
        other.send(text);
        await until("the answer", () => requests.length === texts.length + at + 1);
        assert.deepEqual(here[at], requests.at(-1));
      }
    });
  }

  test("does not keep what was done to the request before", async (t) => {
    const gw = await site(t);
    gw.server.prependListener("request", (incoming: IncomingMessage) => {
      incoming.headers["x-added"] = "1";
      incoming.rawHeaders.push("X-Added", "1");
    });
    const client = await gw.dial();
    for (let n = 1; n <= 5; n += 1) {
      client.send(post("/same", "body"));
      await until("the answer", () => gw.requests.length === n);
    }
    assert.ok(isWhole(gw.sockets[0] as Socket));
    for (const { fields } of gw.requests) assert.equal(fields.filter((field) => field === "X-Added").length, 1);
  });

  const OTHERWISE: Record<string, readonly [parts: readonly string[], answers: RegExp]> = {
    "its content comes later": [[post("/p", "").replace(": 0", ": 4"), "body"], /POST \/p body;$/],
    "its head comes in pieces": [["GET /p", "ieces HTTP/1.1\r\nHo", "st: a\r\n\r\n"], /GET \/pieces ;$/],
    "it comes in chunks": [
      [`POST /c HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`],
      /POST \/c abc;\r\n0\r\n\r\n$|POST \/c abc;$/,
    ],
    "another comes with it": [[get("/1") + get("/2")], /GET \/1 ;.*GET \/2 ;$/s],
    "the start of another comes with it": [
      [`${get("/1")}GET /2 HT`, `TP/1.1\r\n${HOST}\r\n`],
      /GET \/1 ;.*GET \/2 ;$/s,
    ],
    "the start of another comes with it, and its rest looks like a request": [
      [`${get("/1")}GET /2 HTTP/1.1\r\n${HOST}X-Note: `, "GET /hidden HTTP/1.1\r\nX: 1\r\n\r\n"],
      /GET \/1 ;.*GET \/2 ;$/s,
    ],
    "it is too long": [[get("/long", `X-Long: ${"x".repeat(9_000)}\r\n`)], /GET \/long ;$/],
  };
  for (const [what, [parts, answers]] of Object.entries(OTHERWISE)) {
    test(`is Node's when ${what}, and read whole again behind that`, async (t) => {
      const { client, socket, requests } = await whole(t);
      for (const part of parts) {
        const { bytesRead } = socket;
        client.send(part);
        await until("it to be read", () => socket.bytesRead === bytesRead + part.length);
      }
      await client.until(() => answers.test(client.received), "the answers");
      client.received = "";
      const before = requests.length;
      client.send(get("/again"));
      await client.has("GET /again ;");
      client.send(get("/again"));
      await until("it to be read whole", () => isWhole(socket));
      await until("both answers", () => requests.length === before + 2);
    });
  }

  test("is Node's for good when its requests come otherwise again and again", async (t) => {
    const { client, socket, requests } = await whole(t);
    for (let n = 0; n < 8; n += 1) {
      client.send(get("/1") + get("/2"));
      await until("the answers", () => requests.length === 3 * n + 2);
      client.send(get("/3"));
      await until("the answer", () => requests.length === 3 * n + 3);
    }
    assert.equal(isWhole(socket), false);
  });

  test("has what comes while an answer is outstanding served behind it", async (t) => {
    const { client, requests, sockets } = await whole(t);
    client.send(get("/late"));
    await until("the request", () => requests.length === 1);
    client.send(get("/next"));
    client.send(get("/last"));
    const [outgoing] = [ClientConnection.of(sockets[0] as Socket)?.latest];
    assert.ok(outgoing);
    await until("both to be read", () => ClientConnection.of(sockets[0] as Socket)?.latest !== outgoing);
    assert.equal(requests.length, 1, "one at a time");
    outgoing.end("late;");
    await client.until(() => /late;.*GET \/next ;.*GET \/last ;$/s.test(client.received), "the answers in their order");
  });

  test("sees that its client leaves before it has its answer", async (t) => {
    const { client, requests, socket } = await whole(t);
    client.send(post("/late", "content"));
    await until("the request", () => requests.length === 1);
    const { latest } = ClientConnection.of(socket) ?? {};
    assert.ok(latest);
    client.socket.destroy();
    await until("its end to be seen", () => socket.destroyed && latest.closed);
  });

  test("gets a 400 for what is no request, and a 431 for a head that is too large", async (t) => {
    for (const [bytes, status] of [
      ["\x00\x01\x02\r\n\r\n", "400"],
      [`GET /x HTTP/1.1\r\n${HOST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc`, "400"],
      [`GET /x HTTP/1.1\r\n${HOST}${HOST}\r\n`, "400"],
      ["GET /x HTTP/1.1\r\n\r\n", "400"],
      [`GET /a#b HTTP/1.1\r\n${HOST}\r\n`, "400"],
      [get("/x", `X: ${"x".repeat(17 * 1024)}\r\n`), "431"],
      [`TRACE / HTTP/1.1\r\n${HOST}\r\n`, "405"],
      [`CONNECT a:1 HTTP/1.1\r\n${HOST}\r\n`, "405"],
    ] as const) {
      const { client, requests } = await whole(t);
      client.send(bytes);
      await client.over();
      assert.match(client.received, new RegExp(`^HTTP/1\\.1 ${status} `), bytes.slice(0, 60));
      assert.equal(requests.length, 0);
    }
  });

  test("ends where its client says so, and behind a request in HTTP/1.0", async (t) => {
    for (const text of [get("/x", "Connection: close\r\n"), `GET /x HTTP/1.0\r\n${HOST}\r\n`]) {
      const { client } = await whole(t);
      client.send(text);
      await client.over();
      assert.match(client.received, /Connection: close\r\n.*GET \/x ;$/s);
    }
  });

  test("is closed when it rests for too long, and when a head does not come to its end", async (t) => {
    const resting = await whole(t, { keepAliveTimeout: 200, keepAliveTimeoutBuffer: 0 } as ServerOptions);
    await resting.client.over();
    const slow = await whole(t, { headersTimeout: 200, connectionsCheckingInterval: 50 });
    slow.client.send("GET /x HTTP/1.1\r\n");
    await slow.client.over();
    assert.match(slow.client.received, /^HTTP\/1\.1 408 /);
  });

  test("is not read any more behind its last answer", async (t) => {
    const { sockets, requests, dial } = await site(t);
    const client = await dial();
    client.send(get("/first"));
    await client.has("GET /first ;");
    // Complete, and refused.
    client.send(`GET /refused HTTP/1.1\r\n${HOST}${HOST}\r\n`);
    await client.has("HTTP/1.1 400 ");
    const socket = sockets[0] as Socket;
    const { bytesRead } = socket;
    client.send(get("/behind"));
    await until("it to be read", () => socket.bytesRead > bytesRead);
    assert.equal(isWhole(socket), false);
    assert.equal(requests.length, 1);
  });

  test("is idle between two requests only", async (t) => {
    const { client, requests, socket, server } = await whole(t);
    client.send(get("/late"));
    await until("the request", () => requests.length === 1);
    server.closeIdleConnections();
    assert.equal(socket.destroyed, false);
    ClientConnection.of(socket)?.latest?.end("late;");
    await client.has("late;");
    await until("its end", () => ClientConnection.of(socket)?.latest?.closed === true);
    server.closeIdleConnections();
    await client.over();
  });
});
