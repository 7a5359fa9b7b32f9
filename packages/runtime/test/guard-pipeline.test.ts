import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerOptions, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { selfSigned } from "../../../test/support/certificate.ts";
import { until } from "../../../test/support/until.ts";
import { attachGuard } from "../src/guard/attach-guard.ts";
import { SERVER_OPTIONS, TLS_OPTIONS } from "../src/guard/server-options.ts";
import type { ClientConnections } from "../src/proxy/client-connection.ts";
import { dial, gateway, Peer, portOf, scriptedUpstream, within } from "./proxy-fixtures.ts";

const HOST = "Host: a\r\n";
/** As long as one with a token. */
const PADDING = `X-Padding: ${"p".repeat(150)}\r\n`;
const ask = (n: number, fields = ""): string => `GET /${n} HTTP/1.1\r\n${HOST}${PADDING}${fields}\r\n`;
const asks = (count: number): string => Array.from({ length: count }, (_, n) => ask(n)).join("");
/** The last of which ends the connection. */
const allOf = (count: number): string => asks(count - 1) + ask(count - 1, "Connection: close\r\n");
const range = (count: number): string[] => Array.from({ length: count }, (_, n) => `/${n}`);

/** The bodies of answers, which are the paths of their requests. */
const bodies = (received: string): string[] => received.match(/(?<=\r\n\r\n)\/\d+(?=HTTP|$)/g) ?? [];

interface Site {
  readonly handled: { readonly path: string; readonly socket: Socket; readonly outgoing: ServerResponse }[];
  /** Handled, and not answered yet. */
  readonly open: { now: number; most: number };
  readonly connections: ClientConnections;
  dial(text: string): Promise<Peer>;
}

/** A server whose requests are answered with their paths, by `answer` or a turn of the event loop later. */
const site = async (
  t: TestContext,
  options: {
    answer?: (path: string, outgoing: ServerResponse) => void;
    server?: ServerOptions;
    mostWaiting?: number;
    secure?: boolean;
  } = {},
): Promise<Site> => {
  const { answer = (path, outgoing) => setImmediate(() => outgoing.end(path)), mostWaiting } = options;
  const pair = options.secure ? selfSigned("one") : undefined;
  const server = pair
    ? createTlsServer({ ...SERVER_OPTIONS, ...TLS_OPTIONS, ...options.server, ...pair })
    : createServer({ ...SERVER_OPTIONS, ...options.server });
  const handled: { path: string; socket: Socket; outgoing: ServerResponse }[] = [];
  const open = { now: 0, most: 0 };
  const connections = attachGuard(server, {
    requestId: () => "refused-1",
    ...(mostWaiting !== undefined && { mostWaiting }),
    handle: (incoming, outgoing) => {
      const path = incoming.url ?? "";
      handled.push({ path, socket: incoming.socket, outgoing });
      open.now += 1;
      open.most = Math.max(open.most, open.now);
      outgoing.on("finish", () => {
        open.now -= 1;
      });
      incoming.resume();
      answer(path, outgoing);
    },
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const dialSite = async (text: string): Promise<Peer> => {
    const socket = options.secure
      ? connectTls({ port: portOf(server), host: "127.0.0.1", rejectUnauthorized: false })
      : connect(portOf(server), "127.0.0.1");
    t.after(() => socket.destroy());
    const peer = new Peer(socket);
    await within(once(socket, options.secure ? "secureConnect" : "connect"), "connecting");
    peer.send(text);
    return peer;
  };
  return { handled, open, connections, dial: dialSite };
};

describe("many requests on one connection, without waiting for answers", { concurrency: true }, () => {
  test("5,000 calls: one at a time at the upstream, all answered, in order", async (t) => {
    const CALLS = 5_000;
    let open = 0;
    let most = 0;
    const upstream = await scriptedUpstream(t, (peer) => {
      peer.socket.on("data", (bytes: Buffer) => {
        open += 1;
        most = Math.max(most, open);
        peer.received = "";
        const path = bytes.toString("latin1").split(" ")[1] ?? "";
        setImmediate(() => {
          open -= 1;
          peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
        });
      });
    });
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, allOf(CALLS));
    await client.over(60_000);
    assert.deepEqual(bodies(client.received), range(CALLS));
    assert.equal(most, 1);
    assert.ok(upstream.connections.all.length <= 3, `${upstream.connections.all.length} connections`);
  });

  for (const secure of [false, true]) {
    test(`behind a slow one nothing is handled, and reading stops${secure ? ", with TLS" : ""}`, async (t) => {
      const at = await site(t, {
        secure,
        answer: (path, outgoing) => path !== "/0" && setImmediate(() => outgoing.end(path)),
      });
      const client = await at.dial(allOf(2_000));
      await until("the first call", () => at.handled.length === 1);
      const socket = at.handled[0]?.socket as Socket;
      let seen = -1;
      while (socket.bytesRead !== seen) {
        seen = socket.bytesRead;
        await within(new Promise((resolve) => setTimeout(resolve, 100)), "a look later");
      }
      // One read for the first, and one that brings more than may wait.
      assert.ok(seen <= 2 * 64 * 1024, `${seen} bytes read`);
      assert.ok(at.connections.waiting <= 2 * 300, `${at.connections.waiting} wait`);
      assert.equal(at.handled.length, 1);
      at.handled[0]?.outgoing.end("/0");
      await client.over(30_000);
      assert.deepEqual(bodies(client.received), range(2_000));
      assert.equal(at.open.most, 1);
      assert.equal(at.connections.waiting, 0);
    });
  }

  test("large answers, each of which the client takes a while for: what waits does not grow", async (t) => {
    const large = Buffer.alloc(512 * 1024, "x");
    let most = 0;
    const at = await site(t, {
      answer: (path, outgoing) => {
        most = Math.max(most, at.connections.waiting);
        outgoing.write(large);
        outgoing.once("drain", () => setImmediate(() => outgoing.end(path)));
      },
    });
    const client = await at.dial(asks(400));
    let length = 0;
    client.socket.on("data", (bytes: Buffer) => {
      length += bytes.length;
      client.received = client.received.slice(-100);
    });
    client.socket.write(asks(2_000));
    await client.until(() => length > 100 * large.length, "a hundred answers", 30_000);
    assert.ok(most <= 2 * 300, `${most} waited`);
    assert.equal(at.open.most, 1);
  });

  test("with bodies of every kind between them", async (t) => {
    const at = await site(t);
    const body = "b".repeat(300_000);
    const client = await at.dial(
      [
        ask(0),
        `POST /1 HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nbody`,
        `POST /2 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`,
        ask(3),
        `POST /4 HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`,
        `PUT /5 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
        ask(6, "Connection: close\r\n"),
        ask(7),
      ].join(""),
    );
    await client.over();
    assert.deepEqual(bodies(client.received), range(7));
    assert.equal(at.open.most, 1);
  });

  test("one that is refused is answered in its turn, and nothing behind it is handled", async (t) => {
    const at = await site(t);
    const client = await at.dial(`${ask(0)}${ask(1)}GET / HTTP/1.1\r\n\r\n${ask(2)}`);
    await client.over();
    assert.deepEqual(
      [...client.received.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status),
      ["200", "200", "400"],
    );
    assert.deepEqual(
      at.handled.map(({ path }) => path),
      ["/0", "/1"],
    );
  });

  test("behind an answer that ends the connection: those that wait are not handled", async (t) => {
    const at = await site(t, {
      answer: (path, outgoing) => {
        if (path === "/1") outgoing.setHeader("Connection", "close");
        setImmediate(() => outgoing.end(path));
      },
    });
    const client = await at.dial(asks(4));
    await client.over();
    assert.deepEqual(bodies(client.received), range(2));
    await until("nobody to wait", () => at.connections.waiting === 0);
    assert.deepEqual(
      at.handled.map(({ path }) => path),
      range(2),
    );
  });

  test("whose client leaves: those that waited are not handled, and forgotten", async (t) => {
    const at = await site(t, { answer: () => undefined });
    const client = await at.dial(asks(20));
    await until("all to wait", () => at.connections.waiting === 19);
    client.socket.destroy();
    await until("nobody to wait", () => at.connections.waiting === 0);
    assert.equal(at.handled.length, 1);
  });

  test("when too many wait in all, the connection ends behind the last that may, and others are served", async (t) => {
    const at = await site(t, {
      mostWaiting: 20,
      answer: (path, outgoing) => path !== "/0" && setImmediate(() => outgoing.end(path)),
    });
    const client = await at.dial(asks(30));
    await until("as many to wait as may", () => at.connections.waiting === 20);
    const other = await at.dial(ask(7, "Connection: close\r\n"));
    await other.over();
    assert.deepEqual(bodies(other.received), ["/7"]);
    at.handled[0]?.outgoing.end("/0");
    await client.over();
    assert.deepEqual(bodies(client.received), range(21));
    assert.equal(client.received.split("Connection: close").length - 1, 1);
  });
});

describe("a header whose rest is not read because too many wait", { concurrency: true }, () => {
  const server = { headersTimeout: 200, connectionsCheckingInterval: 50 };
  const stands = async (t: TestContext): Promise<{ at: Site; client: Peer }> => {
    const at = await site(t, {
      server,
      answer: (path, outgoing) => path !== "/0" && setImmediate(() => outgoing.end(path)),
    });
    const client = await at.dial(`${asks(60)}GET /60 HTT`);
    await until("some to wait", () => at.connections.waiting > 0);
    // Others are late meanwhile.
    const other = await at.dial("GET /late");
    await other.has("408", 3_000);
    assert.equal(at.handled.length, 1);
    return { at, client };
  };

  test("is not late: it is served when its turn comes", async (t) => {
    const { at, client } = await stands(t);
    client.send(`P/1.1\r\n${HOST}\r\n`);
    at.handled[0]?.outgoing.end("/0");
    await client.until(() => client.received.endsWith("/60"), "the last answer");
    assert.deepEqual(bodies(client.received), range(61));
  });

  test("is late when it does not come afterwards either", async (t) => {
    const { at, client } = await stands(t);
    at.handled[0]?.outgoing.end("/0");
    await client.over(3_000);
    assert.deepEqual(bodies(client.received.replace(/HTTP\/1\.1 408 .*/s, "")), range(60));
    assert.match(client.received, /HTTP\/1\.1 408 /);
  });
});
