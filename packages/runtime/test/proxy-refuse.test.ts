import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { describe, type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { selfSigned } from "../../../test/support/certificate.ts";
import { until } from "../../../test/support/until.ts";
import { attachGuard } from "../src/guard/attach-guard.ts";
import { SERVER_OPTIONS } from "../src/guard/server-options.ts";
import type { ClientConnections, LingerLimits } from "../src/proxy/client-connection.ts";
import { closeIfUnread, refuse } from "../src/proxy/lingering-close.ts";
import { dial, Peer, portOf, within } from "./proxy-fixtures.ts";

type Handle = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

const refuseAll: Handle = (incoming, outgoing) => {
  const problem = { code: "missing_token", detail: "No token was sent.", requestId: "req-1" } as const;
  refuse(incoming, outgoing, problem, ["WWW-Authenticate", 'Bearer realm="aigw"']);
};

/** Shorter and less than in earnest. */
const LIMITS: LingerLimits = { idleMs: 400, quietMs: 200, totalMs: 1_000, bytes: 16 * 1024 * 1024, connections: 4 };

interface Refusing {
  readonly port: number;
  readonly handled: string[];
  readonly connections: ClientConnections;
}

/** A server that answers everything before the body is read; unless told otherwise, it refuses as a gate would. */
const refusing = async (t: TestContext, answer = refuseAll, limits: Partial<LingerLimits> = {}): Promise<Refusing> => {
  const handled: string[] = [];
  const server = createServer(SERVER_OPTIONS);
  const connections = attachGuard(server, {
    requestId: () => "req-1",
    linger: { ...LIMITS, ...limits },
    handle: (incoming, outgoing) => {
      handled.push(incoming.url ?? "");
      answer(incoming, outgoing);
    },
  });
  server.listen(0, "127.0.0.1");
  await within(once(server, "listening"), "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: portOf(server), handled, connections };
};

const REFUSED = /^HTTP\/1.1 401 .*\r\nWWW-Authenticate: Bearer realm="aigw"\r\n/s;
const next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

describe("refuse", () => {
  for (const [what, request] of [
    ["no body", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["a small body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"],
  ] as const) {
    test(`${what}: the connection stays`, async (t) => {
      const { port, handled } = await refusing(t);
      const client = await dial(t, port, request);
      await client.has('"code":"missing_token"');
      assert.match(client.received, REFUSED);
      assert.match(client.received, /\r\nConnection: keep-alive\r\n/);
      client.send(next);
      await client.until(() => client.received.split("HTTP/1.1 401").length === 3, "the second answer");
      assert.deepEqual(handled, ["/", "/next"]);
    });
  }

  for (const [what, head] of [
    ["a large upload", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"],
    ["a chunked upload", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n"],
  ] as const) {
    test(`${what}: the answer arrives whole while the client sends, then the connection ends`, async (t) => {
      const { port, connections } = await refusing(t);
      const client = await dial(t, port, head);
      const block = Buffer.alloc(64 * 1024, "x");
      for (let i = 0; i < 10; i++) client.socket.write(block);
      await client.over(1_000);
      assert.match(client.received, REFUSED);
      assert.match(client.received, /\r\nConnection: close\r\n/);
      assert.match(client.received, /"missing_token"\}\}$/);
      client.socket.end();
      await until("the connection's end", () => connections.size === 0);
    });

    test(`${what} that stands still: the connection ends all the same`, async (t) => {
      const { port, connections } = await refusing(t);
      const client = await dial(t, port, head);
      await client.over(1_000);
      assert.match(client.received, REFUSED);
      assert.equal(connections.size, 1);
      await until("the connection's end", () => connections.size === 0, 1_500);
    });
  }

  test("an upload that waits for its 100: no 100, and the connection ends", async (t) => {
    const { port, handled } = await refusing(t);
    const client = await dial(
      t,
      port,
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    );
    await client.over(1_000);
    assert.match(client.received, REFUSED);
    assert.doesNotMatch(client.received, /100 Continue/);
    client.socket.end(next);
    await client.close(1_500);
    assert.deepEqual(handled, ["/"]);
  });

  test("what comes behind a refused upload is not served", async (t) => {
    const { port, handled } = await refusing(t);
    const body = "x".repeat(70_000);
    const client = await dial(
      t,
      port,
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}${next}`,
    );
    await client.over(1_500);
    assert.deepEqual(handled, ["/"]);
    assert.equal(client.received.split("HTTP/1.1 401").length, 2);
  });
});

describe("closeIfUnread", () => {
  const answerAll: Handle = (incoming, outgoing) => {
    closeIfUnread(incoming, outgoing);
    outgoing.end("ok");
  };

  for (const length of [3, 60_000]) {
    test(`a body of ${length} bytes that ends soon: the connection serves the next request`, async (t) => {
      const { port, handled } = await refusing(t, answerAll);
      const client = await dial(t, port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\nx`);
      await client.has("ok");
      client.send(`${"x".repeat(length - 1)}${next}`);
      await client.until(() => client.received.split("HTTP/1.1 200").length === 3, "the second answer");
      assert.deepEqual(handled, ["/", "/next"]);
    });
  }

  test("a body in the same packet, answered before it is parsed", async (t) => {
    const { port, handled } = await refusing(t, answerAll);
    const one = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    const client = await dial(t, port, one + one);
    await client.until(() => client.received.split("HTTP/1.1 200").length === 3, "both answers");
    assert.deepEqual(handled, ["/", "/"]);
  });

  test("a body that stands still, and one that never ends: the connection is given up", async (t) => {
    const { port, connections } = await refusing(t, answerAll);
    const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n";
    const still = await dial(t, port, head);
    const endless = await dial(t, port, head);
    const flood = setInterval(() => endless.socket.write(Buffer.alloc(64 * 1024)), 5);
    t.after(() => clearInterval(flood));
    await endless.close(2_000);
    await until("both to be given up", () => connections.size === 0, 1_500);
    for (const { received } of [still, endless]) assert.match(received, /\r\nConnection: close\r\n.*ok$/s);
  });

  test("a large body that is read before the answer: the connection serves the next request", async (t) => {
    const { port } = await refusing(t, (incoming, outgoing) => {
      incoming.resume().on("end", () => answerAll(incoming, outgoing));
    });
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    const client = await dial(
      t,
      port,
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`,
    );
    client.send(`0\r\n\r\n${next}`);
    await client.until(() => client.received.split("HTTP/1.1 200").length === 3, "the second answer");
  });
});

describe("lingering", () => {
  const UPLOAD = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n";
  const flood = (t: TestContext, { socket }: Peer, block: Buffer | string = Buffer.alloc(64 * 1024)): void => {
    const timer = setInterval(() => socket.write(block), 5);
    t.after(() => clearInterval(timer));
  };

  test("a client that goes on sending is given up after the whole time", async (t) => {
    const { port } = await refusing(t, refuseAll, { bytes: Number.MAX_SAFE_INTEGER });
    const client = await dial(t, port, UPLOAD);
    flood(t, client);
    await client.over();
    const start = performance.now();
    await client.close();
    const took = performance.now() - start;
    assert.ok(took > 800, `${took} ms: longer than one that is idle`);
  });

  test("or after the bytes", async (t) => {
    const { port, connections } = await refusing(t, refuseAll, { idleMs: 60_000, totalMs: 60_000, bytes: 200_000 });
    const client = await dial(t, port, UPLOAD);
    await client.over();
    assert.equal(connections.size, 1);
    flood(t, client);
    await client.close();
    assert.match(client.received, REFUSED);
  });

  test("of too many at once the oldest are given up", async (t) => {
    const { port, connections } = await refusing(t, refuseAll, { idleMs: 60_000, totalMs: 60_000 });
    const clients: Peer[] = [];
    for (let i = 0; i < 7; i++) {
      const client = await dial(t, port, UPLOAD);
      await client.over();
      clients.push(client);
    }
    assert.equal(connections.size, LIMITS.connections);
    // Only a write that follows one which was answered by a reset tells that the connection is gone.
    for (const client of clients) {
      assert.match(client.received, REFUSED);
      flood(t, client, "x");
    }
    for (const client of clients.slice(0, 3)) await client.close();
    assert.deepEqual(
      clients.map(({ closed }) => closed),
      [true, true, true, false, false, false, false],
    );
  });

  test("a last answer waits a little for what its client may have sent already", async (t) => {
    const { port, connections } = await refusing(t, refuseAll, { idleMs: 60_000 });
    const last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const [leaves, stays] = [await dial(t, port, last), await dial(t, port, last)];
    await Promise.all([leaves.over(), stays.over()]);
    assert.equal(connections.size, 2);
    leaves.socket.end();
    await until("one to be closed with its client", () => connections.size === 1, 150);
    await until("the other to be closed for it", () => connections.size === 0, 1_000);
  });

  test("over TLS", async (t) => {
    const { key, cert } = selfSigned("one");
    const server = createTlsServer({ ...SERVER_OPTIONS, key, cert });
    const connections = attachGuard(server, { requestId: () => "req-1", handle: refuseAll });
    server.listen(0, "127.0.0.1");
    await within(once(server, "listening"), "listening");
    t.after(() => server.close());
    const connected = async (): Promise<Peer> => {
      const socket = connectTls({ port: portOf(server), host: "127.0.0.1", ca: cert, servername: "localhost" });
      t.after(() => socket.destroy());
      await within(once(socket, "secureConnect"), "the handshake");
      return new Peer(socket);
    };
    const client = await connected();
    client.send(UPLOAD);
    client.socket.write(Buffer.alloc(20_000_000));
    await client.over();
    assert.match(client.received, REFUSED);
    await until("the connection's end", () => connections.size === 0);
    const upgrade = await connected();
    upgrade.send(
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    );
    await upgrade.over();
    assert.match(upgrade.received, REFUSED, "also what is read a second time");
  });
});
