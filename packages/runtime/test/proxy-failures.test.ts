import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import type { Fault } from "@aigw/core/services";
import { systemCodeOf } from "../src/proxy/upstream-failure.ts";
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
    const { outcome, status, bytesIn, fault, error } = await gw.results.next("the result");
    assert.deepEqual(
      { outcome, status, bytesIn, fault },
      { outcome: "upstream_error", status: 502, bytesIn: 3, fault: "refused" },
    );
    assert.equal(error && systemCodeOf(error), "ECONNREFUSED");
  });

  for (const [what, act, code, fault] of [
    ["resets", reset, "upstream_unreachable", "reset"],
    ["closes", (peer) => void peer.socket.end(), "upstream_unreachable", "closed"],
    ["speaks something else", "SSH-2.0-OpenSSH_9.2\r\n", "upstream_invalid", "not_http"],
    ["speaks TLS", "\x15\x03\x01\x00\x02\x02\x46", "upstream_invalid", "speaks_tls"],
    ["speaks HTTP/2", "\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0", "upstream_invalid", "http2_only"],
    [
      "closes within the head",
      (peer) => void peer.socket.end("HTTP/1.1 200 OK\r\nConte"),
      "upstream_invalid",
      "head_cut_short",
    ],
    [
      "switches protocols unasked",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
      "upstream_invalid",
      "switched_protocols",
    ],
    ["says 101 and nothing else", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "upstream_invalid", "switched_protocols"],
    [
      "sends two lengths",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
      "upstream_invalid",
      "two_lengths",
    ],
    ["sends half a length", "HTTP/1.1 200 OK\r\nContent-Length: 2.5\r\n\r\nokk", "upstream_invalid", "bad_length"],
    [
      "sends length and coding",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
      "upstream_invalid",
      "length_and_coding",
    ],
    [
      "uses another coding",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
      "upstream_invalid",
      "bad_coding",
    ],
    [
      "uses a coding in HTTP/1.0",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
      "upstream_invalid",
      "bad_coding",
    ],
    [
      "sends too large a head",
      `HTTP/1.1 200 OK\r\nX: ${"x".repeat(40_000)}\r\n\r\n`,
      "upstream_invalid",
      "head_too_large",
    ],
    [
      "sends a head just too large, whole",
      `HTTP/1.1 200 OK\r\nX: ${"x".repeat(16_400)}\r\n\r\n`,
      "upstream_invalid",
      "head_too_large",
    ],
    ["folds a field", "HTTP/1.1 200 OK\r\nX: a\r\n\tb\r\nContent-Length: 0\r\n\r\n", "upstream_invalid", "folded_line"],
    ["ends a line without CR", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "upstream_invalid", "bare_line_feed"],
    ["ends a line without LF", "HTTP/1.1 200 OK\rX: a\r\n\r\n", "upstream_invalid", "bare_line_feed"],
    ["sends a NUL", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "upstream_invalid", "control_character"],
    ["leaves the colon out", "HTTP/1.1 200 OK\r\nNoColon\r\n\r\n", "upstream_invalid", "bad_field"],
    ["leaves a blank before the colon", "HTTP/1.1 200 OK\r\nX : a\r\n\r\n", "upstream_invalid", "bad_field"],
    ["has two digits for a status", "HTTP/1.1 20 OK\r\n\r\n", "upstream_invalid", "bad_status_line"],
    ["is of another version", "HTTP/2.0 200 OK\r\n\r\n", "upstream_invalid", "bad_status_line"],
    ["is of another protocol", "ICY 200 OK\r\n\r\n", "upstream_invalid", "not_http"],
  ] as [string, string | ((peer: Peer) => void), string, Fault][]) {
    test(`${what}: 502`, async (t) => {
      const upstream = await scriptedUpstream(t, onRequest(typeof act === "string" ? (peer) => peer.send(act) : act));
      const gw = await gateway(t, upstream.origin);
      const answer = await exchange(t, gw.port, post("abc"), 1_000);
      assert.equal(answer.status, 502, answer.head);
      assertProblem(answer, code);
      const result = await gw.results.next("the result");
      assert.deepEqual([result.outcome, result.fault], ["upstream_error", fault]);
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
    const { outcome, fault } = await gw.results.next("the result");
    assert.deepEqual([outcome, fault], ["timeout", "answer_timeout"]);
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
});

describe("an upstream that dies or lies within the body", () => {
  for (const [what, begin, act, fault] of [
    ["resets with a length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", reset, "reset"],
    [
      "closes with a length",
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
      (peer) => void peer.socket.end(),
      "too_few_bytes",
    ],
    [
      "closes as announced, but early",
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nabc",
      (peer) => void peer.socket.end(),
      "too_few_bytes",
    ],
    ["resets a chunked body", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", reset, "reset"],
    [
      "closes a chunked body",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      (peer) => void peer.socket.end(),
      "no_last_chunk",
    ],
    [
      "frames a chunk badly",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      (peer) => peer.send("zz\r\n"),
      "bad_chunk",
    ],
    [
      "frames a trailer badly",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      (peer) => peer.send("0\r\nContent-Length: 3\r\n\r\n"),
      "bad_trailer",
    ],
    ["resets a body that ends with the connection", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", reset, "reset"],
    [
      "falls silent",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      () => undefined,
      "answer_stalled",
    ],
  ] as [string, string, (peer: Peer) => void, Fault][]) {
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
      const result = await gw.results.next("the result");
      assert.deepEqual([result.outcome, result.fault], ["incomplete", fault]);
      assert.deepEqual([result.status, result.bytesOut], [200, 3]);
      await peer.close(1_000);
      assert.equal(gw.proxy.open, 0);
    });
  }

  for (const [what, answer] of [
    ["no chunk size", "zz\r\n"],
    ["an endless chunk size", "ffffffffffffffff\r\n"],
    ["a bad trailer", "0\r\nno colon\r\n\r\n"],
  ] as const) {
    test(`sends a head with something invalid behind it at once (${what}): 502, not an empty answer`, async (t) => {
      const upstream = await scriptedUpstream(
        t,
        answering(`HTTP/1.1 200 Fine\r\nX-Of: it\r\nTransfer-Encoding: chunked\r\n\r\n${answer}`),
      );
      const gw = await gateway(t, upstream.origin);
      const got = await exchange(t, gw.port, get("/"), 1_000);
      assert.equal(got.status, 502);
      assertProblem(got, "upstream_invalid");
      assert.doesNotMatch(got.head, /X-Of/);
      const { outcome, status, upstreamMs } = await gw.results.next("the result");
      assert.deepEqual(
        { outcome, status, upstreamMs },
        { outcome: "upstream_error", status: 502, upstreamMs: undefined },
      );
      assert.equal(gw.proxy.open, 0);
    });
  }

  test("sends a good chunk and a bad one at once: what counts as handed over reaches the client", async (t) => {
    const begin = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n";
    const upstream = await scriptedUpstream(t, answering(begin));
    const gw = await gateway(t, upstream.origin);
    const got = await exchange(t, gw.port, get("/"), 1_000);
    assert.equal(got.status, 200);
    assert.equal(got.body, "3\r\nabc\r\n");
    const { outcome, bytesOut } = await gw.results.next("the result");
    assert.deepEqual({ outcome, bytesOut }, { outcome: "incomplete", bytesOut: 3 });
  });

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
      assert.equal((await gw.results.next("the first result")).fault, undefined);
      assert.equal((await gw.results.next("the second result")).fault, "kept_connection_closed");
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
