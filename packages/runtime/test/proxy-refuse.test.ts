import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { describe, type TestContext, test } from "node:test";
import { attachGuard } from "../src/guard/attach-guard.ts";
import { SERVER_OPTIONS } from "../src/guard/server-options.ts";
import { drainAfterAnswer, refuse } from "../src/proxy/lingering-close.ts";
import { dial, portOf, within } from "./proxy-fixtures.ts";

type Handle = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

const refuseAll: Handle = (incoming, outgoing) => {
  const problem = { code: "missing_token", detail: "No token was sent.", requestId: "req-1" } as const;
  refuse(incoming, outgoing, problem, ["WWW-Authenticate", 'Bearer realm="aigw"']);
};

/** A server that answers everything before the body is read; unless told otherwise, it refuses as a gate would. */
const refusing = async (t: TestContext, answer = refuseAll): Promise<{ port: number; handled: string[] }> => {
  const handled: string[] = [];
  const server = createServer(SERVER_OPTIONS);
  attachGuard(server, {
    requestId: () => "req-1",
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
  return { port: portOf(server), handled };
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
      const { port } = await refusing(t);
      const client = await dial(t, port, head);
      const block = Buffer.alloc(64 * 1024, "x");
      for (let i = 0; i < 10; i++) client.socket.write(block);
      await client.over(1_000);
      assert.match(client.received, REFUSED);
      assert.match(client.received, /\r\nConnection: close\r\n/);
      assert.match(client.received, /"missing_token"\}\}$/);
      const flood = setInterval(() => client.socket.write(block), 5);
      t.after(() => clearInterval(flood));
      await client.close(1_500);
    });

    test(`${what} that stands still: the connection ends all the same`, async (t) => {
      const { port } = await refusing(t);
      const client = await dial(t, port, head);
      await client.over(1_000);
      assert.match(client.received, REFUSED);
      client.socket.end();
      await client.close(1_500);
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

describe("drainAfterAnswer", () => {
  const answerAll: Handle = (incoming, outgoing) => {
    drainAfterAnswer(incoming, outgoing);
    outgoing.end("ok");
  };

  for (const length of [3, 300_000]) {
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
    const { port } = await refusing(t, answerAll);
    const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n";
    const still = await dial(t, port, head);
    const endless = await dial(t, port, head);
    const flood = setInterval(() => endless.socket.write(Buffer.alloc(64 * 1024)), 5);
    t.after(() => clearInterval(flood));
    await endless.over(1_500);
    await still.over(1_500);
    assert.match(still.received, /ok$/);
  });
});
