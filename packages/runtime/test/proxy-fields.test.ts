import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answering, dial, exchange, gateway, get, scriptedUpstream } from "./proxy-fixtures.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const linesOf = (text: string): string[] => text.split("\r\n");

describe("the request that the upstream gets", () => {
  for (const [basePath, target, expected] of [
    ["", "/", "/"],
    ["", "/?q=1", "/?q=1"],
    ["/v1", "/models?x=%7B|}'\"", "/v1/models?x=%7B|}'\""],
    ["/v1", "/a;b=c/%e4//?%", "/v1/a;b=c/%e4//?%"],
  ] as const) {
    test(`target ${basePath} + ${target}`, async (t) => {
      const upstream = await scriptedUpstream(t, answering(OK));
      const gw = await gateway(t, upstream.origin, { basePath });
      assert.equal((await exchange(t, gw.port, get(target))).status, 200);
      const peer = await upstream.connections.next("a connection");
      assert.equal(linesOf(peer.received)[0], `GET ${expected} HTTP/1.1`);
    });
  }

  test("nothing of the hop, of the client's credentials or of our own names gets through", async (t) => {
    const upstream = await scriptedUpstream(t, answering(OK));
    const gw = await gateway(t, upstream.origin, { headers: [["X-Api-Key", "ours"]] });
    const sent = [
      "Connection: X-Client-ID, x-hop, via",
      "X-Hop: evil",
      "Keep-Alive: evil",
      "Proxy-Connection: evil",
      "TE: evil",
      "Upgrade: evil",
      "HTTP2-Settings: evil",
      "Proxy-Authenticate: evil",
      "Proxy-Authorization: evil",
      "Authorization: evil",
      "authorization: evil",
      "Cookie: evil=1",
      "X-Client-ID: evil",
      "X_Client_ID: evil",
      "x-client_id: evil",
      "Forwarded: for=evil",
      "X-Forwarded-For: evil",
      "X_FORWARDED_FOR: evil",
      "X-Forwarded-Anything: evil",
      "X-Real-IP: evil",
      "X_Real_IP: evil",
      "X-Request-ID: evil",
      "x_request_id: evil",
      "X-API-Key: evil",
      "X_Api_Key: evil",
      "Content_Length: 666",
      "Transfer_Encoding: evil",
      "Via: 1.1 evil",
    ];
    await exchange(
      t,
      gw.port,
      `GET / HTTP/1.1\r\nHost: gw.example:80\r\nConnection: close\r\n${sent.join("\r\n")}\r\n\r\n`,
    );
    const peer = await upstream.connections.next("a connection");
    assert.doesNotMatch(peer.received, /evil|666|x-hop/i);
    assert.deepEqual(linesOf(peer.received), [
      "GET / HTTP/1.1",
      `Host: ${upstream.origin.slice(7)}`,
      "Connection: keep-alive",
      "X-Client-ID: alice",
      "X-Request-ID: req-1",
      "Via: 1.1 aigw",
      "X-Forwarded-For: 127.0.0.1",
      "X-Forwarded-Proto: http",
      "X-Forwarded-Host: gw.example:80",
      "X-Forwarded-Prefix: /api/svc",
      "X-Api-Key: ours",
      "",
      "",
    ]);
  });

  test("our own names do not get through either when Connection does not name them", async (t) => {
    const upstream = await scriptedUpstream(t, answering(OK));
    const gw = await gateway(t, upstream.origin);
    const own = ["X-Client-ID", "X-Request-ID", "X-Forwarded-For", "X-Forwarded-Prefix", "X-Real-IP", "Forwarded"];
    const sent = own.map((name) => `${name}: evil`).join("\r\n");
    await exchange(t, gw.port, `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${sent}\r\n\r\n`);
    const peer = await upstream.connections.next("a connection");
    assert.doesNotMatch(peer.received, /evil/);
  });

  test("everything else goes through byte for byte, in order, duplicates kept", async (t) => {
    const upstream = await scriptedUpstream(t, answering(OK));
    const gw = await gateway(t, upstream.origin);
    const kept = [
      "aCCept: */*",
      "__proto__: x",
      "constructor: y",
      "X-Twice: 1",
      "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "X-Twice: 2",
      "X-Latin: \xe4\xf6\xfc\xff",
      "X-Empty: ",
    ];
    const via = "Via: 1.0 fred, 1.1 barney";
    await exchange(t, gw.port, get("/", `${kept.join("\r\n")}\r\n${via}\r\n`));
    const peer = await upstream.connections.next("a connection");
    assert.deepEqual(linesOf(peer.received).slice(3, 3 + kept.length), kept);
    assert.ok(peer.received.includes("\r\nVia: 1.0 fred, 1.1 barney, 1.1 aigw\r\n"));
  });

  test("a Connection field that names the framing does not change where the body ends", async (t) => {
    const upstream = await scriptedUpstream(t, answering(OK));
    const gw = await gateway(t, upstream.origin);
    const text = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, content-length\r\nContent-Length: 3\r\n\r\nabc";
    assert.equal((await exchange(t, gw.port, text)).status, 200);
    const peer = await upstream.connections.next("a connection");
    assert.match(peer.received, /\r\ncontent-length: 3\r\n\r\nabc$/i);
  });

  for (const [what, text, end] of [
    ["GET", get("/"), /\r\n\r\n$/],
    ["HEAD", get("/").replace("GET", "HEAD"), /\r\n\r\n$/],
    ["GET with a body", `${get("/", "Content-Length: 3\r\n")}abc`, /\r\ncontent-length: 3\r\n\r\nabc$/i],
    [
      "DELETE with a body",
      `${get("/", "Content-Length: 3\r\n").replace("GET", "DELETE")}abc`,
      /content-length: 3\r\n\r\nabc$/i,
    ],
    ["empty POST", get("/", "Content-Length: 0\r\n").replace("GET", "POST"), /\r\ncontent-length: 0\r\n\r\n$/i],
  ] as const) {
    test(`the body of ${what}`, async (t) => {
      const upstream = await scriptedUpstream(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
      const gw = await gateway(t, upstream.origin);
      assert.equal((await exchange(t, gw.port, text)).status, 200);
      const peer = await upstream.connections.next("a connection");
      assert.match(peer.received, end);
      assert.equal(/content-length|transfer-encoding/i.test(peer.received), /Content-Length/.test(text));
    });
  }

  test("a chunked body stays chunked and is passed on as it comes", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const client = await dial(
      t,
      gw.port,
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    );
    const peer = await upstream.connections.next("a connection");
    await peer.has("abc");
    assert.match(peer.received, /\r\ntransfer-encoding: chunked\r\n/i);
    assert.doesNotMatch(peer.received, /content-length/i);
    client.send("4\r\ndefg\r\n0\r\n\r\n");
    await peer.has("4\r\ndefg\r\n0\r\n\r\n");
    peer.send(OK);
    await client.has("ok");
    assert.equal((await gw.results.next("the result")).bytesIn, 7);
  });

  test("the beginning of a body with a length is passed on before the rest has come", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabcde");
    const peer = await upstream.connections.next("a connection");
    await peer.has("abcde");
    client.send("fghij");
    await peer.has("fghij");
    assert.match(peer.received, /\r\ncontent-length: 10\r\n\r\nabcdefghij$/i);
  });
});

describe("the response that the client gets", () => {
  test("has its head as Node writes it, also where the connection stays", async (t) => {
    const fields = "X-Latin: \xe4\xff\r\nX-Empty:\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n";
    const dated = "Date: Sun, 22 Nov 2026 10:00:00 GMT";
    for (const status of ["200 OK", "201 ", "299 Caf\xe9", "404 Not Found"]) {
      for (const own of [`dAtE: ${dated.slice(6)}\r\n`, ""]) {
        const upstream = await scriptedUpstream(t, answering(`HTTP/1.1 ${status}\r\n${own}${fields}\r\nok`));
        const gw = await gateway(t, upstream.origin, { responseFields: ["X-Client-ID", "alice"] });
        const client = await dial(t, gw.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        await client.has("\r\n\r\nok");
        const kept = linesOf(client.received.slice(0, client.received.indexOf("\r\n\r\n")));
        const ended = linesOf((await exchange(t, gw.port, get("/"))).head);
        const isDate = (line: string): boolean => /^date: /i.test(line);
        assert.deepEqual(
          kept.filter((line) => !isDate(line)),
          [...ended.filter((line) => !isDate(line)).slice(0, -1), "Connection: keep-alive", "Keep-Alive: timeout=65"],
        );
        const [date, ...more] = kept.filter(isDate);
        assert.deepEqual(more, []);
        assert.equal(kept.findIndex(isDate), ended.findIndex(isDate));
        if (own !== "") assert.equal(date, own.trim());
        else assert.ok(Math.abs(Date.parse(date?.slice(6) ?? "") - Date.now()) < 10_000, date);
      }
    }
  });

  test("status, reason, fields in order and duplicates; without the hop's and the gateway's own", async (t) => {
    const answer = [
      "HTTP/1.1 299 Quite Fine",
      "Date: Sun, 22 Nov 2026 10:00:00 GMT",
      "Set-Cookie: a=1",
      "Set-Cookie: b=2",
      "X-Latin: \xe4\xff",
      "__proto__: x",
      "Connection: close, X-Named",
      "X-Named: evil",
      "Keep-Alive: evil",
      "Proxy-Authenticate: evil",
      "Upgrade: evil",
      "Trailer: evil",
      "X-Request-ID: evil",
      "X-Client-ID: evil",
      "RateLimit: evil",
      "RateLimit-Policy: evil",
      "X-RateLimit-Limit: evil",
      "x-ratelimit-anything: evil",
      "Content-Length: 2",
      "",
      "ok",
    ].join("\r\n");
    const upstream = await scriptedUpstream(t, answering(answer));
    const gw = await gateway(t, upstream.origin, {
      responseFields: ["X-Client-ID", "alice", "RateLimit", '"client";r=1;t=1'],
    });
    const { head, body } = await exchange(t, gw.port, get("/"));
    assert.equal(body, "ok");
    assert.deepEqual(linesOf(head), [
      "HTTP/1.1 299 Quite Fine",
      "Date: Sun, 22 Nov 2026 10:00:00 GMT",
      "Set-Cookie: a=1",
      "Set-Cookie: b=2",
      "X-Latin: \xe4\xff",
      "__proto__: x",
      "Content-Length: 2",
      "X-Request-ID: req-1",
      "X-Client-ID: alice",
      'RateLimit: "client";r=1;t=1',
      "Connection: close",
    ]);
    const result = await gw.results.next("the result");
    assert.deepEqual(
      { ...result, upstreamMs: 0, serviceMs: 0 },
      { outcome: "ok", status: 299, upstreamMs: 0, serviceMs: 0, bytesIn: 0, bytesOut: 2 },
    );
  });

  for (const [what, method, answer, expected] of [
    [
      "HEAD",
      "HEAD",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
      /^HTTP\/1.1 200 OK\r\nContent-Length: 5\r\n.*\r\n\r\n$/s,
    ],
    [
      "204",
      "GET",
      "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
      /^HTTP\/1.1 204 No Content\r\n(?!.*content-length).*\r\n\r\n$/is,
    ],
    [
      "304",
      "GET",
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n",
      /^HTTP\/1.1 304 .*\r\nETag: x\r\n.*\r\n\r\n$/s,
    ],
    [
      "a redirect, which is not followed",
      "GET",
      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
      /^HTTP\/1.1 302 Found\r\nLocation: http:\/\/127.0.0.1:1\/\r\n/,
    ],
    [
      "gzip, which is not decoded",
      "GET",
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nzz",
      /\r\nContent-Encoding: gzip\r\n.*zz$/s,
    ],
    ["no reason phrase", "GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", /^HTTP\/1.1 200 \r\n/],
    [
      "a body that ends with the connection",
      "GET",
      "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbye",
      /\r\nTransfer-Encoding: chunked\r\n.*\r\n3\r\nbye\r\n0\r\n\r\n$/s,
    ],
    [
      "trailers",
      "GET",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\nLocation: /x\r\nSet-Cookie: evil=1\r\n\r\n",
      /\r\n0\r\nX-Sum: 9\r\nLocation: \/x\r\n\r\n$/,
    ],
    [
      "100 and 103 before it",
      "GET",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      /^HTTP\/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP\/1.1 200 OK\r\n/,
    ],
    ["a 500 of its own", "GET", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", /^HTTP\/1.1 500 Oops\r\n/],
  ] as const) {
    test(what, async (t) => {
      const closes = answer.includes("Connection: close");
      const upstream = await scriptedUpstream(
        t,
        answering(answer, (peer) => closes && peer.socket.end()),
      );
      const gw = await gateway(t, upstream.origin);
      const client = await dial(t, gw.port, get("/").replace("GET", method));
      await client.over();
      assert.match(client.received, expected);
      const { outcome } = await gw.results.next("the result");
      assert.equal(outcome, what.startsWith("a 500") ? "upstream_error" : "ok");
    });
  }

  test("an interim response that comes byte by byte", async (t) => {
    const answer = "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const upstream = await scriptedUpstream(t, (peer) => {
      peer.socket.setNoDelay(true);
      peer.socket.once("data", () => {
        let at = 0;
        const next = (): void => {
          if (at < answer.length) peer.socket.write(answer.charAt(at++), "latin1", () => setImmediate(next));
        };
        next();
      });
    });
    const gw = await gateway(t, upstream.origin);
    const { status, body } = await exchange(t, gw.port, get("/"));
    assert.deepEqual({ status, body }, { status: 200, body: "ok" });
  });

  test("content that looks like an interim response is content", async (t) => {
    const content = "HTTP/1.1 100 Continue\r\n\r\n";
    const upstream = await scriptedUpstream(t, (peer) => {
      peer.socket.once("data", () => {
        peer.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n`, () =>
          setImmediate(() => peer.send(content)),
        );
      });
    });
    const gw = await gateway(t, upstream.origin);
    assert.equal((await exchange(t, gw.port, get("/"))).body, content);
  });

  test("the head is passed on before the first byte of content", async (t) => {
    const upstream = await scriptedUpstream(t, answering("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"));
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, get("/"));
    await client.has("text/event-stream");
    const peer = await upstream.connections.next("a connection");
    peer.send("data: 1\n\n");
    await client.has("data: 1\n\n");
  });
});
