import assert from "node:assert/strict";
import { createHash, randomFillSync } from "node:crypto";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { describe, test } from "node:test";
import { answering, dial, exchange, gateway, get, portOf, scriptedUpstream, within } from "./proxy-fixtures.ts";

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

describe("large bodies", () => {
  test("64 MiB up and down at once, both intact", async (t) => {
    const upstream = createServer((incoming, outgoing) => {
      outgoing.writeHead(200, { "Content-Type": "application/octet-stream" });
      incoming.pipe(outgoing);
    }).listen(0, "127.0.0.1");
    await once(upstream, "listening");
    t.after(() => {
      upstream.closeAllConnections();
      upstream.close();
    });
    const gw = await gateway(t, `http://127.0.0.1:${portOf(upstream)}`);
    const sent = createHash("sha256");
    const received = createHash("sha256");
    const call = request({ port: gw.port, host: "127.0.0.1", method: "POST", headers: { "Content-Length": SIZE } });
    const send = async (): Promise<void> => {
      const block = randomFillSync(Buffer.alloc(MIB));
      for (let i = 0; i < SIZE / MIB; i++) {
        block.writeUInt32LE(i, 0);
        const copy = Buffer.from(block);
        sent.update(copy);
        if (!call.write(copy)) await once(call, "drain");
      }
      call.end();
    };
    const receive = async (): Promise<number> => {
      const [answer] = await once(call, "response");
      let length = 0;
      for await (const chunk of answer) {
        received.update(chunk);
        length += chunk.length;
      }
      return length;
    };
    const [, length] = await within(Promise.all([send(), receive()]), "64 MiB", 30_000);
    assert.equal(length, SIZE);
    assert.equal(received.digest("hex"), sent.digest("hex"));
    const { outcome, bytesIn, bytesOut } = await gw.results.next("the result");
    assert.deepEqual({ outcome, bytesIn, bytesOut }, { outcome: "ok", bytesIn: SIZE, bytesOut: SIZE });
  });
});

describe("back-pressure", () => {
  /** Until a count has stood still for 300 ms. */
  const settled = async (count: () => number): Promise<number> => {
    for (let last = -1, i = 0; i < 100; i++) {
      const now = count();
      if (now === last) return now;
      last = now;
      await within(new Promise((resolve) => setTimeout(resolve, 300)), "a look later");
    }
    throw new Error("never settled");
  };
  /** What the kernel holds on its own on the two loopback connections, generously. */
  const KERNEL = 20 * MIB;

  test("a client that does not read holds the upstream; at most 1 MiB is buffered here", async (t) => {
    const upstream = await scriptedUpstream(t, (peer) => {
      const block = Buffer.alloc(64 * 1024, "x");
      const pour = (): void => {
        while (!peer.socket.destroyed && peer.socket.write(block));
      };
      peer.socket.on("drain", pour);
      peer.socket.once("data", () => {
        peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        pour();
      });
    });
    const gw = await gateway(t, upstream.origin, { idleTimeoutMs: 60_000 });
    const client = await dial(t, gw.port, get("/"));
    await client.has("xxx");
    client.socket.pause();
    const peer = await upstream.connections.next("a connection");
    const taken = await settled(() => peer.socket.bytesWritten - peer.socket.writableLength);
    assert.ok(taken < KERNEL, `${taken} bytes taken from the upstream`);
    const outgoing = gw.handled[0]?.socket;
    assert.ok((outgoing?.writableLength ?? 0) <= MIB, `${outgoing?.writableLength} bytes held`);
    client.socket.resume();
    const before = client.received.length;
    await client.until(() => client.received.length > before + KERNEL, "the flow to go on", 20_000);
    client.socket.destroy();
    await peer.close(1_000);
    assert.equal((await gw.results.next("the result")).outcome, "aborted");
  });

  test("thousands of small chunks in one read wait for the client once", async (t) => {
    const chunks = "10\r\n0123456789abcdef\r\n".repeat(20_000);
    const upstream = await scriptedUpstream(
      t,
      answering(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`),
    );
    const gw = await gateway(t, upstream.origin);
    const warnings: Error[] = [];
    const note = (warning: Error): number => warnings.push(warning);
    process.on("warning", note);
    t.after(() => process.off("warning", note));
    const client = await dial(t, gw.port, get("/"));
    await client.over();
    const content = client.received.replace(/\r\n[0-9a-f]{1,4}\r\n/g, "");
    assert.equal(content.split("0123456789abcdef").length - 1, 20_000);
    assert.deepEqual(warnings, []);
  });

  test("an upstream that does not read holds the client", async (t) => {
    const upstream = await scriptedUpstream(t, (peer) => void peer.socket.pause());
    const gw = await gateway(t, upstream.origin, { idleTimeoutMs: 60_000, timeoutMs: 60_000 });
    const client = await dial(t, gw.port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`);
    const block = Buffer.alloc(64 * 1024, "x");
    let left = SIZE;
    const pour = (): void => {
      while (left > 0 && !client.socket.destroyed) {
        left -= block.length;
        if (!client.socket.write(block)) return;
      }
    };
    client.socket.on("drain", pour);
    pour();
    const given = await settled(() => SIZE - left);
    assert.ok(given < KERNEL, `${given} bytes taken from the client`);
    const peer = await upstream.connections.next("a connection");
    peer.socket.resume();
    await peer.until(() => peer.received.length > SIZE, "the whole upload", 20_000);
    peer.send(OK);
    await client.has("ok");
    assert.equal((await gw.results.next("the result")).bytesIn, SIZE);
  });
});

describe("a client that leaves", () => {
  for (const [what, answer] of [
    ["before the headers", ""],
    ["within the body", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"],
  ] as const) {
    test(`${what}: the upstream is aborted`, async (t) => {
      const upstream = await scriptedUpstream(t, answering(answer));
      const gw = await gateway(t, upstream.origin);
      const client = await dial(t, gw.port, get("/"));
      const peer = await upstream.connections.next("a connection");
      await peer.has("\r\n\r\n");
      if (answer !== "") await client.has("abc");
      client.socket.destroy();
      await peer.close(1_000);
      const { outcome, status } = await gw.results.next("the result");
      assert.deepEqual({ outcome, status }, { outcome: "aborted", status: answer === "" ? 0 : 200 });
      assert.equal(gw.proxy.open, 0);
    });
  }

  test("within its upload: the upstream does not see a complete body", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const client = await dial(
      t,
      gw.port,
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    );
    const peer = await upstream.connections.next("a connection");
    await peer.has("abc");
    client.socket.destroy();
    await peer.close(1_000);
    assert.doesNotMatch(peer.received, /\r\n0\r\n/);
    assert.equal((await gw.results.next("the result")).outcome, "aborted");
  });

  test("with a request behind another on the same connection", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const one = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const client = await dial(t, gw.port, one + one);
    const first = await upstream.connections.next("the first");
    client.socket.destroy();
    await first.close(1_000);
    assert.equal((await gw.results.next("the first result")).outcome, "aborted");
    assert.equal(upstream.connections.all.length, 1);
    assert.equal(gw.handled.length, 1);
  });

  test("200 times mid-stream: no connection is left", async (t) => {
    const upstream = await scriptedUpstream(t, answering("HTTP/1.1 200 OK\r\n\r\nabc"));
    const gw = await gateway(t, upstream.origin);
    const clients = await Promise.all(Array.from({ length: 200 }, () => dial(t, gw.port, get("/"))));
    await Promise.all(clients.map((client) => client.has("abc")));
    for (const client of clients) client.socket.destroy();
    await Promise.all(upstream.connections.all.map((peer) => peer.close(1_000)));
    assert.equal(upstream.connections.all.length, 200);
    assert.equal(gw.proxy.open, 0);
    assert.deepEqual(new Set(gw.results.all.map(({ outcome }) => outcome)), new Set(["aborted"]));
    assert.equal(gw.results.all.length, 200);
  });
});

describe("cut", () => {
  test("revoked before the headers: 401, and the upstream is aborted", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin, { responseFields: ["X-Client-ID", "alice"] });
    const client = await dial(t, gw.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const peer = await upstream.connections.next("a connection");
    await peer.has("\r\n\r\n");
    (await gw.exchanges.next("the exchange")).cut("revoked");
    await peer.close(1_000);
    await client.over(1_000);
    assert.match(client.received, /^HTTP\/1.1 401 .*\r\nX-Client-ID: alice\r\n.*\r\nConnection: close\r\n/s);
    assert.match(client.received, /\r\nWWW-Authenticate: Bearer realm="aigw", error="invalid_token"\r\n/);
    assert.match(client.received, /"code":"invalid_token"/);
    const { outcome, status } = await gw.results.next("the result");
    assert.deepEqual({ outcome, status }, { outcome: "revoked", status: 401 });
  });

  test("revoked within an upload: both ends within a second", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\nabc`);
    const peer = await upstream.connections.next("a connection");
    await peer.has("abc");
    (await gw.exchanges.next("the exchange")).cut("revoked");
    await peer.close(200);
    await client.has('"code":"invalid_token"', 200);
    await client.over(200);
    const flood = setInterval(() => client.socket.write(Buffer.alloc(256 * 1024)), 5);
    t.after(() => clearInterval(flood));
    await client.close(1_000);
  });

  for (const outcome of ["revoked", "incomplete"] as const) {
    test(`${outcome} within the response: a broken transfer`, async (t) => {
      const upstream = await scriptedUpstream(
        t,
        answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
      );
      const gw = await gateway(t, upstream.origin);
      const client = await dial(t, gw.port, get("/"));
      await client.has("abc");
      const cut = await gw.exchanges.next("the exchange");
      cut.cut(outcome);
      cut.cut(outcome);
      await client.over(1_000);
      await (await upstream.connections.next("a connection")).close(1_000);
      assert.doesNotMatch(client.received, /\r\n0\r\n\r\n$/);
      assert.deepEqual(
        gw.results.all.map((result) => [result.outcome, result.status]),
        [[outcome, 200]],
      );
    });
  }

  test("close() breaks off what is open, and is over when the upstreams are left", async (t) => {
    const upstream = await scriptedUpstream(t, answering("HTTP/1.1 200 OK\r\n\r\nabc"));
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, get("/"));
    await client.has("abc");
    assert.equal(gw.proxy.open, 1);
    gw.proxy.close();
    assert.equal(gw.proxy.open, 0);
    await (await upstream.connections.next("a connection")).close(1_000);
    await client.over(1_000);
  });
});

describe("an answer while the upload is still running", () => {
  const early = "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nbig!";

  test("an early answer of the upstream reaches a client that goes on sending", async (t) => {
    const upstream = await scriptedUpstream(t, (peer) => void peer.socket.once("data", () => peer.send(early)));
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`);
    const peer = await upstream.connections.next("a connection");
    const block = Buffer.alloc(16 * 1024, "x");
    for (let i = 0; i < 20; i++) client.socket.write(block);
    await client.has("big!", 1_000);
    assert.match(client.received, /^HTTP\/1.1 413 Too Large\r\n.*\r\nConnection: close\r\n/s);
    await client.over(1_000);
    await client.over(2_000);
    await peer.close(1_000);
    assert.equal((await gw.results.next("the result")).outcome, "ok");
  });

  test("the gateway's own 502 too", async (t) => {
    const upstream = await scriptedUpstream(
      t,
      (peer) => void peer.socket.once("data", () => peer.socket.resetAndDestroy()),
    );
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`);
    const block = Buffer.alloc(16 * 1024, "x");
    for (let i = 0; i < 50; i++) client.socket.write(block);
    await client.has('"code":"upstream_unreachable"', 1_000);
    assert.match(client.received, /\r\nConnection: close\r\n/);
    await client.over(2_000);
    assert.equal(gw.proxy.open, 0);
  });

  test("what follows on such a connection is not served", async (t) => {
    const upstream = await scriptedUpstream(t, (peer) => void peer.socket.once("data", () => peer.send(early)));
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\nx");
    await client.has("big!");
    client.send(`${"x".repeat(19_999)}${get("/smuggled")}`);
    await client.over(2_000);
    assert.equal(gw.handled.length, 1);
    assert.equal(upstream.connections.all.length, 1);
  });
});

describe("Expect: 100-continue", () => {
  const head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\n";

  test("the 100 comes when forwarding starts, and the upstream is not asked", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, head);
    await client.has("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc");
    const peer = await upstream.connections.next("a connection");
    await peer.has("abc");
    assert.doesNotMatch(peer.received, /expect/i);
    peer.send(OK);
    await client.has("ok");
    assert.match(client.received, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n/);
  });

  test("a client that does not wait for it", async (t) => {
    const upstream = await scriptedUpstream(t, (peer) => void peer.has("abc").then(() => peer.send(OK)));
    const gw = await gateway(t, upstream.origin);
    const { body } = await exchange(t, gw.port, `${head}abc`);
    assert.match(body, /ok$/);
  });
});
