import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, test } from "node:test";
import { attachGuard } from "../src/guard/attach-guard.ts";
import { SERVER_OPTIONS } from "../src/guard/server-options.ts";
import {
  type Answer,
  answering,
  dial,
  exchange,
  gateway,
  parseAnswer,
  portOf,
  scriptedUpstream,
  within,
} from "./proxy-fixtures.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

const assertRefusal = ({ status, head, body }: Answer, expected: readonly number[]): void => {
  assert.ok(expected.includes(status), `${head}\n${body}`);
  assert.match(head, /\r\nConnection: close(\r\n|$)/);
  assert.match(head, /\r\nContent-Type: application\/problem\+json\r\n/);
  assert.match(head, /\r\nX-Request-ID: refused-1\r\n/);
  assert.equal(JSON.parse(body).status, status);
  assert.doesNotMatch(body, /HPE_|Parse Error|llhttp|node:|\.ts/);
};

const REFUSED: readonly [what: string, request: string, status: number][] = [
  ["two Host fields", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
  ["two equal Host fields", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400],
  ["two Host fields in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400],
  ["an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400],
  ["a missing Host", "GET / HTTP/1.1\r\n\r\n", 400],
  ["a Host with user info", "GET / HTTP/1.1\r\nHost: u:p@a\r\n\r\n", 400],
  ["a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400],
  ["a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
  ["a Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400],
  ["a Host with a bad port", "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400],
  ["a Host with two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", 400],
  ["a Host with bad IPv6", "GET / HTTP/1.1\r\nHost: [::1::]\r\n\r\n", 400],
  ["a Host with raw bytes", "GET / HTTP/1.1\r\nHost: \xe4\r\n\r\n", 400],
  ["an absolute target with user info", "GET http://u:p@a/x HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["an absolute target with an empty user", "GET http://@a/x HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["an absolute target without a host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["an absolute target of another scheme", "GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["an absolute target, and two Hosts", "GET http://a/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
  ["a target without a slash", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["an asterisk with GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["a fragment in the target", "GET /x#y HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["raw bytes in the target", "GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["gzip, chunked", `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`, 501],
  ["chunked, gzip", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400],
  [
    "chunked twice",
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    400,
  ],
  [
    "chunked in two fields",
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    400,
  ],
  ["identity", `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n${SMUGGLED}`, 501],
  ["xchunked", `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n${SMUGGLED}`, 501],
  ["a coding behind a tab", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400],
  [
    "a field name with a space before the colon",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    400,
  ],
  ["chunked in HTTP/1.0", `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`, 400],
  [
    "length and coding",
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    400,
  ],
  [
    "coding and length",
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    400,
  ],
  [
    "two lengths",
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    400,
  ],
  ["two equal lengths", `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`, 400],
  ["a list of lengths", `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n${SMUGGLED}`, 400],
  ["a length with a sign", `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n${SMUGGLED}`, 400],
  ["a length in hex", `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n${SMUGGLED}`, 400],
  [
    "a length that overflows",
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n${SMUGGLED}`,
    400,
  ],
  ["a bare line feed", "GET / HTTP/1.1\nHost: a\n\n", 400],
  ["a folded field", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400],
  ["a NUL in a field", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400],
  ["HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400],
  ["the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  ["HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 400],
  ["HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400],
  ["HTTP/3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 400],
  ["no version", "GET /\r\n\r\n", 400],
  ["an unknown method", "FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 501],
  ["an unknown method that begins like a known one", "GETX / HTTP/1.1\r\nHost: a\r\n\r\n", 501],
  ["a method in small letters", "get / HTTP/1.1\r\nHost: a\r\n\r\n", 501],
  ["a method of RTSP in HTTP", "DESCRIBE / HTTP/1.1\r\nHost: a\r\n\r\n", 501],
  ["RTSP", "DESCRIBE / RTSP/1.0\r\nCSeq: 1\r\n\r\n", 400],
  ["RTSP with a Host", "SETUP / RTSP/1.0\r\nHost: a\r\n\r\n", 400],
  ["RTSP with a method of HTTP", "OPTIONS / RTSP/1.0\r\nHost: a\r\n\r\n", 400],
  ["RTSP with a body", "POST / RTSP/1.0\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 400],
  ["RTSP that looks like 1.1", "GET /x RTSP/1.1\r\nHost: a\r\n\r\n", 400],
  ["RTSP behind blanks", "GET /x    RTSP/1.0\r\nHost: a\r\n\r\n", 400],
  [
    "RTSP that wants to upgrade",
    "POST /x RTSP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
  ],
  ["RTSP/2.0", "OPTIONS / RTSP/2.0\r\nHost: a\r\n\r\n", 400],
  ["ICE", "SOURCE / ICE/1.0\r\nHost: a\r\n\r\n", 400],
  ["ICE that looks like 1.1", "SOURCE / ICE/1.1\r\nHost: a\r\n\r\n", 400],
  ["another protocol", "GET / SIP/2.0\r\nHost: a\r\n\r\n", 400],
  ["TLS to a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
  ["TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405],
  ["CONNECT", `CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n${SMUGGLED}`, 405],
  ["another expectation", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 3\r\n\r\nabc", 417],
  ["two expectations", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, x\r\nContent-Length: 3\r\n\r\nabc", 417],
  ["a head that is too large", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
];

describe("refused and closed, the upstream sees nothing", () => {
  for (const [what, request, status] of REFUSED) {
    test(what, async (t) => {
      const upstream = await scriptedUpstream(t, answering(OK));
      const gw = await gateway(t, upstream.origin);
      const answer = await exchange(t, gw.port, request, 2_000);
      assertRefusal(answer, [status]);
      if (status === 405) assert.match(answer.head, /\r\nAllow: GET, HEAD, POST/);
      assert.equal(gw.handled.length, 0);
      assert.equal(upstream.connections.all.length, 0);
    });
  }

  test("a refused request takes everything behind it along", async (t) => {
    const upstream = await scriptedUpstream(t, answering(OK));
    const gw = await gateway(t, upstream.origin);
    const refused = "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    const { body } = await exchange(t, gw.port, refused + SMUGGLED + SMUGGLED);
    assert.equal(JSON.parse(body).status, 400);
    assert.equal(gw.handled.length, 0);
    assert.equal(upstream.connections.all.length, 0);
  });

  test("a bad chunk within an upload: 400, and the upstream sees no end of the body", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const client = await dial(
      t,
      gw.port,
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    );
    const peer = await upstream.connections.next("a connection");
    await peer.has("abc");
    client.send("zz\r\n");
    await client.over(1_000);
    assertRefusal(parseAnswer(client.received), [400]);
    await peer.close(1_000);
    assert.doesNotMatch(peer.received, /\r\n0\r\n/);
    assert.equal((await gw.results.next("the result")).outcome, "aborted");
  });

  test("a bad chunk when the answer is under way: no second answer inside it", async (t) => {
    const upstream = await scriptedUpstream(
      t,
      answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n"),
    );
    const gw = await gateway(t, upstream.origin);
    const client = await dial(
      t,
      gw.port,
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    );
    await client.has("xyz");
    client.send("zz\r\n");
    await client.over(1_000);
    assert.equal(client.received.split("HTTP/1.1").length, 2);
  });

  test("a head that does not arrive in time: 408", async (t) => {
    const server = createServer({ ...SERVER_OPTIONS, headersTimeout: 200, connectionsCheckingInterval: 50 });
    attachGuard(server, { requestId: () => "refused-1", handle: () => assert.fail("must not be handled") });
    server.listen(0, "127.0.0.1");
    await within(once(server, "listening"), "listening");
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const answer = await exchange(t, portOf(server), "GET / HTTP/1.1\r\nHost: a\r\n", 2_000);
    assertRefusal(answer, [408]);
  });
});

describe("served, made plain", () => {
  const SERVED: readonly [what: string, request: string, line: string, host: string][] = [
    ["an absolute target", "GET http://b.example:8080/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x?y", "b.example:8080"],
    [
      "an absolute target without a path",
      "GET HTTPS://b.example?y HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /?y",
      "b.example",
    ],
    ["HTTP/1.0 without a Host", "GET /x HTTP/1.0\r\n\r\n", "GET /x", "127.0.0.1"],
    ["HTTP/1.0 with an expectation", "GET /x HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", "GET /x", "a"],
    ["IPv6", "GET /x HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n", "GET /x", "[::1]:80"],
    [
      "an Upgrade, as the plain request it is",
      "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      "GET /x",
      "a",
    ],
    [
      "an Upgrade to h2c with a body",
      "POST /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nContent-Length: 3\r\n\r\nabc",
      "POST /x",
      "a",
    ],
    [
      "chunked in capitals",
      "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
      "POST /x",
      "a",
    ],
    ["a method that nobody uses", "PROPFIND /x HTTP/1.1\r\nHost: a\r\n\r\n", "PROPFIND /x", "a"],
    ["the method of ICE in HTTP", "SOURCE /x HTTP/1.1\r\nHost: a\r\n\r\n", "SOURCE /x", "a"],
    [
      "a body that quotes RTSP",
      "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 24\r\n\r\nGET /x RTSP/1.0 ICE/1.0\n",
      "POST /x",
      "a",
    ],
    ["a field named __proto__", "GET /x HTTP/1.1\r\nHost: a\r\n__proto__: x\r\n__proto__: y\r\n\r\n", "GET /x", "a"],
  ];
  for (const [what, request, line, host] of SERVED) {
    test(what, async (t) => {
      const upstream = await scriptedUpstream(t, answering(OK));
      const gw = await gateway(t, upstream.origin);
      const client = await dial(t, gw.port, request);
      await client.has("ok");
      assert.match(client.received, /^HTTP\/1.1 200 OK\r\n/);
      const { received } = await upstream.connections.next("a connection");
      assert.ok(received.startsWith(`${line} HTTP/1.1\r\n`), received);
      assert.ok(received.includes(`\r\nX-Forwarded-Host: ${host}`), received);
      assert.doesNotMatch(received, /\r\n(?:upgrade|expect|http2-settings):/i);
    });
  }

  test("OPTIONS *", async (t) => {
    const upstream = await scriptedUpstream(t, answering(OK));
    const gw = await gateway(t, upstream.origin);
    const { status, head } = await exchange(t, gw.port, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert.equal(status, 204);
    assert.match(head, /\r\nAllow: GET, /);
    assert.equal(upstream.connections.all.length, 0);
  });

  test("two requests in one packet, in order", async (t) => {
    const upstream = await scriptedUpstream(t, answering(OK));
    const gw = await gateway(t, upstream.origin);
    const one = (path: string, last = ""): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${last}\r\n`;
    const { body } = await exchange(t, gw.port, one("/1") + one("/2", "Connection: close\r\n"));
    assert.equal(body.split("HTTP/1.1 200 OK").length, 2);
    assert.equal(gw.handled.length, 2);
  });
});
