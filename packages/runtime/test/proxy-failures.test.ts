import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import {
  type Answer,
  answering,
  dial,
  exchange,
  gateway,
  get,
  type Peer,
  parseAnswer,
  portOf,
  scriptedUpstream,
  within,
} from "./proxy-fixtures.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const post = (body: string): string =>
  `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const reset = (peer: Peer): void => void peer.socket.resetAndDestroy();
const onRequest =
  (act: (peer: Peer) => void) =>
  (peer: Peer): void => {
    peer.socket.once("data", () => act(peer));
  };

const assertProblem = ({ head, body }: Answer, code: string): void => {
  assert.match(head, /\r\nContent-Type: application\/problem\+json\r\n/);
  assert.match(head, /\r\nX-Request-ID: req-1\r\n/);
  const problem = JSON.parse(body);
  assert.equal(problem.code, code);
  assert.equal(problem.request_id, "req-1");
  assert.doesNotMatch(body, /127\.0\.0\.1|ECONN|at .*\.ts|undici/);
};

describe("an upstream that gives no answer", () => {
  test("refuses connections: 502 within a second", async (t) => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const origin = `http://127.0.0.1:${portOf(closed)}`;
    closed.close();
    await once(closed, "close");
    const gw = await gateway(t, origin, { responseFields: ["X-Client-ID", "alice"] });
    const answer = await exchange(t, gw.port, post("abc"), 1_000);
    assert.equal(answer.status, 502);
    assert.match(answer.head, /\r\nX-Client-ID: alice/);
    assertProblem(answer, "upstream_unreachable");
    const { outcome, status, bytesIn, error } = await gw.results.next("the result");
    assert.deepEqual({ outcome, status, bytesIn }, { outcome: "upstream_error", status: 502, bytesIn: 3 });
    assert.match(String(error), /ECONNREFUSED/);
  });

  for (const [what, act, code] of [
    ["resets", reset, "upstream_unreachable"],
    ["closes", (peer) => void peer.socket.end(), "upstream_unreachable"],
    ["speaks something else", (peer) => peer.send("SSH-2.0-OpenSSH_9.2\r\n"), "upstream_invalid"],
    ["closes within the head", (peer) => void peer.socket.end("HTTP/1.1 200 OK\r\nConte"), "upstream_invalid"],
    [
      "switches protocols unasked",
      (peer) => peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
      "upstream_invalid",
    ],
    ["says 101 and nothing else", (peer) => peer.send("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "upstream_invalid"],
    [
      "sends two lengths",
      (peer) => peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk"),
      "upstream_invalid",
    ],
    [
      "sends length and coding",
      (peer) =>
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
      "upstream_invalid",
    ],
    [
      "uses another coding",
      (peer) => peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
      "upstream_invalid",
    ],
    [
      "sends too large a head",
      (peer) => peer.send(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(40_000)}\r\n\r\n`),
      "upstream_invalid",
    ],
    [
      "folds a field",
      (peer) => peer.send("HTTP/1.1 200 OK\r\nX: a\r\n\tb\x01\r\nContent-Length: 0\r\n\r\n"),
      "upstream_invalid",
    ],
  ] as [string, (peer: Peer) => void, string][]) {
    test(`${what}: 502`, async (t) => {
      const upstream = await scriptedUpstream(t, onRequest(act));
      const gw = await gateway(t, upstream.origin);
      const answer = await exchange(t, gw.port, post("abc"), 1_000);
      assert.equal(answer.status, 502, answer.head);
      assertProblem(answer, code);
      assert.equal((await gw.results.next("the result")).outcome, "upstream_error");
      assert.equal(upstream.connections.all.length, 1, "a request with a body is not sent twice");
      assert.equal(gw.proxy.open, 0);
    });
  }

  test("is gone after it has served: 502 unreachable, for GET and POST", async (t) => {
    const upstream = await scriptedUpstream(t, answering(OK));
    const gw = await gateway(t, upstream.origin);
    assert.equal((await exchange(t, gw.port, get("/"))).status, 200);
    upstream.server.close();
    for (const { socket } of upstream.connections.all) socket.destroy();
    await once(upstream.server, "close");
    for (const text of [get("/"), post("abc")]) assertProblem(await exchange(t, gw.port, text), "upstream_unreachable");
  });

  test("hangs before headers: 504 at the timeout, and the upstream is left", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin, { timeoutMs: 300 });
    const started = performance.now();
    const answer = await exchange(t, gw.port, post("abc"), 10_000);
    const took = performance.now() - started;
    assert.equal(answer.status, 504);
    assertProblem(answer, "upstream_timeout");
    assert.ok(took >= 290, `${took} ms`);
    assert.equal((await gw.results.next("the result")).outcome, "timeout");
    await (await upstream.connections.next("a connection")).close(1_000);
  });

  test("the timeout starts at the end of the upload, not at its beginning", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin, { timeoutMs: 400 });
    const client = await dial(t, gw.port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n");
    const peer = await upstream.connections.next("a connection");
    const started = performance.now();
    for (const [i, part] of ["ab", "cd", "ef", "gh"].entries()) {
      await within(new Promise((resolve) => setTimeout(resolve, 200)), "a slow client");
      client.send(part);
      await peer.has("abcdefgh".slice(0, 2 * i + 2));
    }
    await client.has("upstream_timeout", 2_000);
    assert.ok(performance.now() - started >= 1_150);
  });

  test("an upload that stands still: 504 at the idle timeout", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin, { timeoutMs: 60_000, idleTimeoutMs: 300 });
    const client = await dial(t, gw.port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc");
    await client.has("upstream_timeout", 1_500);
    assert.match(client.received, /^HTTP\/1.1 504 .*\r\nConnection: close\r\n/s);
    const { outcome, bytesIn } = await gw.results.next("the result");
    assert.deepEqual({ outcome, bytesIn }, { outcome: "timeout", bytesIn: 3 });
    await (await upstream.connections.next("a connection")).close(1_000);
    await client.over(2_000);
  });
});

describe("an upstream that dies or lies within the body", () => {
  for (const [what, begin, act] of [
    ["resets with a length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", reset],
    ["closes with a length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", (peer) => void peer.socket.end()],
    [
      "closes as announced, but early",
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nabc",
      (peer) => void peer.socket.end(),
    ],
    ["resets a chunked body", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", reset],
    [
      "closes a chunked body",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      (peer) => void peer.socket.end(),
    ],
    [
      "frames a chunk badly",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      (peer) => peer.send("zz\r\n"),
    ],
    ["resets a body that ends with the connection", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", reset],
    ["falls silent", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", () => undefined],
  ] as [string, string, (peer: Peer) => void][]) {
    test(what, async (t) => {
      const upstream = await scriptedUpstream(t, answering(begin));
      const gw = await gateway(t, upstream.origin, { idleTimeoutMs: 500 });
      const client = await dial(t, gw.port, get("/"));
      await client.has("abc");
      const peer = await upstream.connections.next("a connection");
      act(peer);
      await client.over(2_000);
      assert.match(client.received, /^HTTP\/1.1 200 OK\r\n/);
      assert.doesNotMatch(client.received, /\r\n0\r\n\r\n$/, "no end of a chunked body");
      const { outcome, status, bytesOut } = await gw.results.next("the result");
      assert.deepEqual({ outcome, status, bytesOut }, { outcome: "incomplete", status: 200, bytesOut: 3 });
      await peer.close(1_000);
      assert.equal(gw.proxy.open, 0);
    });
  }

  test("an HTTP/1.0 client, to whom a close is an end, sees a reset", async (t) => {
    const upstream = await scriptedUpstream(
      t,
      answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    );
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    await client.has("abc");
    const failed = once(client.socket, "error");
    reset(await upstream.connections.next("a connection"));
    const [error] = await within(failed, "an error");
    assert.match(String(error), /ECONNRESET/);
  });

  test("more content than announced is not passed on, and the connection not used again", async (t) => {
    const upstream = await scriptedUpstream(t, answering(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`));
    const gw = await gateway(t, upstream.origin);
    for (let i = 0; i < 3; i++) {
      const { body } = await exchange(t, gw.port, get("/"));
      assert.equal(body, "ok");
    }
    assert.equal(upstream.connections.all.length, 3);
  });
});

describe("retrying", () => {
  /** Answers the first request on each connection and drops the connection at the second. */
  const dropsSecond = (peer: Peer): void => {
    let requests = 0;
    peer.socket.on("data", () => {
      const seen = peer.received.split("HTTP/1.1\r\n").length - 1;
      if (seen === requests) return;
      requests = seen;
      if (requests === 1) peer.send(OK);
      else reset(peer);
    });
  };

  for (const method of ["GET", "HEAD", "OPTIONS"]) {
    test(`${method} on a connection that the upstream just closed: once more, on a new one`, async (t) => {
      const upstream = await scriptedUpstream(t, dropsSecond);
      const gw = await gateway(t, upstream.origin);
      assert.equal((await exchange(t, gw.port, get("/"))).status, 200);
      const { status } = await exchange(t, gw.port, get("/").replace("GET", method));
      assert.equal(status, 200);
      assert.equal(upstream.connections.all.length, 2);
    });
  }

  for (const [what, text] of [
    ["POST with a body", post("abc")],
    ["POST without", post("")],
    ["DELETE", get("/").replace("GET", "DELETE")],
    ["GET with a body", `${get("/", "Content-Length: 3\r\n")}abc`],
  ] as const) {
    test(`${what} is not sent twice`, async (t) => {
      const upstream = await scriptedUpstream(t, dropsSecond);
      const gw = await gateway(t, upstream.origin);
      assert.equal((await exchange(t, gw.port, get("/"))).status, 200);
      assert.equal((await exchange(t, gw.port, text)).status, 502);
      assert.equal(upstream.connections.all.length, 1);
    });
  }

  test("GET on a new connection is not sent twice", async (t) => {
    const upstream = await scriptedUpstream(t, onRequest(reset));
    const gw = await gateway(t, upstream.origin);
    assert.equal((await exchange(t, gw.port, get("/"))).status, 502);
    assert.equal(upstream.connections.all.length, 1);
  });

  test("GET whose answer has begun is not sent twice, and the retry is not retried", async (t) => {
    const upstream = await scriptedUpstream(t, (peer, nth) => {
      let seen = 0;
      peer.socket.on("data", () => {
        seen++;
        if (nth > 1) reset(peer);
        else if (seen === 1) peer.send(OK);
        else if (seen === 2) peer.socket.end("HTTP/1.1 2");
      });
    });
    const gw = await gateway(t, upstream.origin);
    assert.equal((await exchange(t, gw.port, get("/"))).status, 200);
    const begun = await exchange(t, gw.port, get("/"));
    assert.equal(parseAnswer(`${begun.head}\r\n\r\n`).status, 502);
    assert.equal(upstream.connections.all.length, 1);
  });

  test("the connection is used again for the next request", async (t) => {
    const upstream = await scriptedUpstream(t, answering(OK));
    const gw = await gateway(t, upstream.origin);
    for (let i = 0; i < 5; i++) assert.equal((await exchange(t, gw.port, get("/"))).body, "ok");
    assert.equal(upstream.connections.all.length, 1);
  });
});
