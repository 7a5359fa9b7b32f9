import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answering, dial, exchange, gateway, get, scriptedUpstream } from "./proxy-fixtures.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\n\r\n";

describe("what the upstream says before its answer", () => {
  test("is passed on at once, in order, whatever its status", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, get("/"));
    const peer = await upstream.connections.next("a connection");
    await peer.has("\r\n\r\n");
    const processing = "HTTP/1.1 102 Processing\r\n\r\n";
    const unknown = "HTTP/1.1 199 Whatever\r\nX: y\r\n\r\n";
    peer.send(processing);
    await client.has(processing);
    peer.send(HINTS + unknown);
    await client.has(unknown);
    assert.equal(client.received, processing + HINTS + unknown);
    peer.send(OK);
    await client.over();
    assert.match(client.received.slice((processing + HINTS + unknown).length), /^HTTP\/1.1 200 OK\r\n.*\r\n\r\nok$/s);
    const { outcome, status, bytesOut } = await gw.results.next("the result");
    assert.deepEqual({ outcome, status, bytesOut }, { outcome: "ok", status: 200, bytesOut: 2 });
  });

  test("is told with the same fields as the answer, and without a length", async (t) => {
    const hints = [
      "HTTP/1.1 103 Early Hints",
      "Connection: X-Named",
      "X-Named: evil",
      "Keep-Alive: evil",
      "X-Request-ID: evil",
      "X-RateLimit-Limit: evil",
      "Content-Length: 5",
      "Link: </a>",
      "",
      "",
    ].join("\r\n");
    const upstream = await scriptedUpstream(t, answering(hints + OK));
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, get("/"));
    await client.over();
    assert.ok(client.received.startsWith("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"));
  });

  test("is not told to a client that knows no such thing", async (t) => {
    const upstream = await scriptedUpstream(t, answering(HINTS + OK));
    const gw = await gateway(t, upstream.origin);
    const { status, body } = await exchange(t, gw.port, "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    assert.deepEqual({ status, body }, { status: 200, body: "ok" });
  });

  test("100 is left out: the client has it from the gateway, once, when it asks for it", async (t) => {
    const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
    const upstream = await scriptedUpstream(
      t,
      (peer) => void peer.has("abc").then(() => peer.send(CONTINUE + HINTS + CONTINUE + OK)),
    );
    const gw = await gateway(t, upstream.origin);
    const client = await dial(
      t,
      gw.port,
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    );
    await client.has(CONTINUE);
    client.send("abc");
    await client.over();
    assert.ok(client.received.startsWith(`${CONTINUE}${HINTS}HTTP/1.1 200 OK\r\n`), client.received);
    assert.equal(client.received.split(CONTINUE).length - 1, 1);
  });

  test("is bounded in number, and the answer comes all the same", async (t) => {
    const upstream = await scriptedUpstream(t, answering("HTTP/1.1 102 Processing\r\n\r\n".repeat(2_000) + OK));
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, get("/"));
    await client.over();
    assert.equal(client.received.split("102 Processing").length - 1, 256);
    assert.match(client.received, /\r\n\r\nok$/);
  });

  test("is not the answer: the connection that ends behind it is an upstream that gave none", async (t) => {
    const upstream = await scriptedUpstream(
      t,
      answering(HINTS, (peer) => void peer.socket.end()),
    );
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, get("/"));
    await client.over();
    assert.ok(client.received.startsWith(`${HINTS}HTTP/1.1 502 `), client.received);
  });
});
