import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { LINGER } from "../src/proxy/client-connection.ts";
import { dial, exchange, gateway, type Peer, scriptedUpstream, type TestGateway } from "./proxy-fixtures.ts";

const HOST = "Host: a\r\n";
const CLOSE = "Connection: close\r\n";
const NEXT = `GET /next HTTP/1.1\r\n${HOST}\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CHUNKED = `POST /1 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;

const ONE_ANSWER = /^HTTP\/1\.1 200 OK\r\n.*\r\nConnection: close\r\n.*\r\nok$/s;
const answers = ({ received }: Peer): string[] =>
  [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status ?? "");

/** The gateway has read what was sent to it before this was called: it serves connections in the order of their bytes. */
const hasRead = async (t: TestContext, { port }: TestGateway): Promise<void> => {
  await exchange(t, port, `OPTIONS * HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
};

describe("a complete request gets its answer, whatever follows it, and nothing of that is served", () => {
  const LAST: Record<string, string> = {
    "a last request": `GET /1 HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
    "HTTP/1.0": `GET /1 HTTP/1.0\r\n${HOST}\r\n`,
    "a last request with a body": `POST /1 HTTP/1.1\r\n${HOST}${CLOSE}Content-Length: 4\r\n\r\nbody`,
  };
  const KEPT: Record<string, string> = {
    "a request": `GET /1 HTTP/1.1\r\n${HOST}\r\n`,
    "HTTP/1.0 that would stay": `GET /1 HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n`,
    "a body": `POST /1 HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nbody`,
    chunks: `${CHUNKED}4\r\nbody\r\n0\r\n\r\n`,
  };
  const BROKEN: Record<string, string> = {
    garbage: "\x00\x01\x02\r\n\r\n",
    "one byte too many": "x",
    "an unknown method": `FOO / HTTP/1.1\r\n${HOST}\r\n`,
  };
  const cases = [
    ...Object.entries(LAST).flatMap(([what, request]) =>
      Object.entries({ ...BROKEN, "another request": NEXT, "the start of one": "GET" }).map(
        ([tail, bytes]) => [`${tail} behind ${what}`, request, bytes] as const,
      ),
    ),
    ...Object.entries(KEPT).flatMap(([what, request]) =>
      Object.entries(BROKEN).map(([tail, bytes]) => [`${tail} behind ${what}`, request, bytes] as const),
    ),
  ];
  for (const [what, request, tail] of cases) {
    test(what, async (t) => {
      const upstream = await scriptedUpstream(t);
      const gw = await gateway(t, upstream.origin);
      const together = await dial(t, gw.port, request + tail);
      const first = await upstream.connections.next("the request");
      const apart = await dial(t, gw.port, request);
      const second = await upstream.connections.next("the second request");
      apart.send(tail);
      await hasRead(t, gw);
      for (const peer of [first, second]) {
        await peer.has(`${request.slice(0, request.indexOf(" "))} /1 HTTP/1.1`);
        peer.send(OK);
      }
      for (const client of [together, apart]) {
        await client.over();
        assert.match(client.received, ONE_ANSWER);
        assert.deepEqual(answers(client), ["200"]);
      }
      assert.equal(gw.handled.length, 2);
      assert.equal(upstream.connections.all.length, 2);
      for (let i = 0; i < 2; i++) assert.equal((await gw.results.next("the result")).outcome, "ok");
    });
  }

  test("an answer that is under way", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, `GET /1 HTTP/1.1\r\n${HOST}\r\n`);
    const peer = await upstream.connections.next("the request");
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    await client.has("abc");
    client.send("\x00");
    await hasRead(t, gw);
    peer.send("3\r\ndef\r\n0\r\n\r\n");
    await client.over();
    assert.match(client.received, /\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n$/);
  });

  test("two requests, in order", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, `GET /1 HTTP/1.1\r\n${HOST}\r\nGET /2 HTTP/1.1\r\n${HOST}\r\n\x00`);
    const first = await upstream.connections.next("one");
    await hasRead(t, gw);
    assert.equal(upstream.connections.all.length, 1);
    first.send(OK.replace("ok", "11"));
    await first.has("GET /2");
    first.send(OK.replace("ok", "22"));
    await client.over();
    assert.match(client.received, /\r\n\r\n11HTTP\/1\.1 200 OK\r\n.*\r\nConnection: close\r\n.*22$/s);
  });

  test("one whose turn has come and one that breaks off within its chunks before its own has: 200, 400", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, `GET /1 HTTP/1.1\r\n${HOST}\r\n${CHUNKED}2\r\nxy\r\n`);
    const first = await upstream.connections.next("one");
    await hasRead(t, gw);
    client.send("zz\r\n");
    await hasRead(t, gw);
    first.send(OK);
    await client.over();
    assert.deepEqual(answers(client), ["200", "400"]);
    assert.equal(upstream.connections.all.length, 1);
  });

  test("a header that does not get complete in time", async (t) => {
    const upstream = await scriptedUpstream(t);
    const server = { headersTimeout: 200, connectionsCheckingInterval: 50 };
    const gw = await gateway(t, upstream.origin, { server });
    const client = await dial(t, gw.port, `GET /1 HTTP/1.1\r\n${HOST}\r\nGET /2`);
    const peer = await upstream.connections.next("the request");
    const later = await exchange(t, gw.port, "GET /3");
    assert.equal(later.status, 408);
    peer.send(OK);
    await client.over();
    assert.deepEqual(answers(client), ["200"]);
  });

  test("CONNECT, in its turn", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const client = await dial(
      t,
      gw.port,
      `GET /1 HTTP/1.1\r\n${HOST}\r\nCONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n${NEXT}`,
    );
    const peer = await upstream.connections.next("the request");
    const large = "x".repeat(4_000_000);
    peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${large.length}\r\n\r\n${large}`);
    await client.over();
    assert.deepEqual(answers(client), ["200", "405"]);
    assert.ok(client.received.includes(`\r\n\r\n${large}HTTP/1.1 405 `), "both whole");
    assert.equal(gw.handled.length, 1);
  });

  test("more than is ever read: it has to wait, and the answer comes all the same", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin, { linger: { ...LINGER, bytes: 100_000 } });
    const client = await dial(t, gw.port, `GET /1 HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
    const peer = await upstream.connections.next("the request");
    let taken = false;
    // Told of the connection's end as well, before or after it is over.
    client.socket.write(Buffer.alloc(64 * 1024 * 1024), (error) => {
      taken = !error;
    });
    await hasRead(t, gw);
    peer.send(OK);
    await client.over();
    assert.deepEqual(answers(client), ["200"]);
    assert.ok(!taken);
  });

  for (const [what, tail] of Object.entries({
    garbage: "\x00",
    "a refused upload": `POST /2 HTTP/1.1\r\n${HOST}${HOST}Content-Length: 9\r\n\r\n`,
    CONNECT: "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
  })) {
    test(`unless its client leaves, behind ${what}: the upstream is aborted`, async (t) => {
      const upstream = await scriptedUpstream(t);
      const gw = await gateway(t, upstream.origin);
      const client = await dial(t, gw.port, `GET /1 HTTP/1.1\r\n${HOST}\r\n${tail}`);
      const peer = await upstream.connections.next("the request");
      await hasRead(t, gw);
      client.socket.end();
      await peer.close(1_000);
      assert.equal((await gw.results.next("the result")).outcome, "aborted");
    });
  }
});

describe("a request with Upgrade is answered as the plain request it is, and is the connection's last", () => {
  const UPGRADE = `${HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n`;
  const cases: Record<string, readonly string[]> = {
    "no body": [`GET /1 HTTP/1.1\r\n${UPGRADE}\r\n`],
    "a body": [`POST /1 HTTP/1.1\r\n${UPGRADE}Content-Length: 4\r\n\r\nbody`],
    "a body that is a request": [`POST /1 HTTP/1.1\r\n${UPGRADE}Content-Length: ${NEXT.length}\r\n\r\n${NEXT}`],
    "a body in pieces": [`POST /1 HTTP/1.1\r\n${UPGRADE}Content-Length: 4\r\n\r\n`, "bo", "dy"],
    chunks: [`POST /1 HTTP/1.1\r\n${UPGRADE}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`],
    "chunks in pieces": [
      `POST /1 HTTP/1.1\r\n${UPGRADE}Transfer-Encoding: chunked\r\n\r\n4\r`,
      "\nbo",
      "dy\r\n0\r\n\r\n",
    ],
    "chunks, and a field with raw bytes": [
      `POST /1 HTTP/1.1\r\n${UPGRADE}X: \xff\xe9\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`,
    ],
  };
  const tails: Record<string, string> = {
    nothing: "",
    "a request": NEXT,
    "another protocol": "\x81\x85\x37\xfa\x21\x3d\x7f\x9f",
    "the start of a request": "GET /",
  };
  for (const [what, parts] of Object.entries(cases)) {
    for (const [follows, tail] of Object.entries(tails)) {
      test(`${what}, and ${follows} behind it`, async (t) => {
        const upstream = await scriptedUpstream(t);
        const gw = await gateway(t, upstream.origin);
        const client = await dial(t, gw.port);
        for (const [i, part] of parts.entries()) {
          client.send(i === parts.length - 1 ? part + tail : part);
          await hasRead(t, gw);
        }
        const peer = await upstream.connections.next("the request");
        const body = what.includes("is a request") ? NEXT : what === "no body" ? "" : "body";
        await peer.until(() => peer.received.replaceAll(/\r\n[0-9a-f]+\r\n/g, "").includes(body), "the whole body");
        assert.doesNotMatch(peer.received, /upgrade|h2c|HTTP2/i);
        if (what.includes("raw bytes")) assert.ok(peer.received.includes("\r\nX: \xff\xe9\r\n"), peer.received);
        client.send(tail);
        await hasRead(t, gw);
        peer.send(OK);
        await client.over();
        assert.match(client.received, ONE_ANSWER);
        assert.deepEqual(answers(client), ["200"]);
        assert.equal(upstream.connections.all.length, 1);
        assert.equal(gw.handled.length, 1);
      });
    }
  }

  test("broken chunks: 400, as without it", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const { status } = await exchange(
      t,
      gw.port,
      `POST /1 HTTP/1.1\r\n${UPGRADE}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    );
    assert.equal(status, 400);
  });

  test("behind a request whose answer is outstanding, with another behind it", async (t) => {
    const upstream = await scriptedUpstream(t);
    const gw = await gateway(t, upstream.origin);
    const chunks = `POST /2 HTTP/1.1\r\n${UPGRADE}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`;
    const client = await dial(t, gw.port, `GET /1 HTTP/1.1\r\n${HOST}\r\n${chunks}${NEXT}`);
    const first = await upstream.connections.next("one");
    client.send(NEXT);
    await hasRead(t, gw);
    first.send(OK);
    await first.has("body");
    first.send(OK);
    await client.over();
    assert.deepEqual(answers(client), ["200", "200"]);
    assert.equal(upstream.connections.all.length, 1);
  });
});
