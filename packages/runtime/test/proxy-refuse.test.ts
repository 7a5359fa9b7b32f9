import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, type TestContext, test } from "node:test";
import { attachGuard } from "../src/guard/attach-guard.ts";
import { SERVER_OPTIONS } from "../src/guard/server-options.ts";
import { refuse } from "../src/proxy/lingering-close.ts";
import { dial, portOf, within } from "./proxy-fixtures.ts";

/** A server that refuses everything as a gate would, before the body is read. */
const refusing = async (t: TestContext): Promise<{ port: number; handled: string[] }> => {
  const handled: string[] = [];
  const server = createServer(SERVER_OPTIONS);
  attachGuard(server, {
    requestId: () => "req-1",
    handle: (incoming, outgoing) => {
      handled.push(incoming.url ?? "");
      const problem = { code: "missing_token", detail: "No token was sent.", requestId: "req-1" } as const;
      refuse(incoming, outgoing, problem, ["WWW-Authenticate", 'Bearer realm="aigw"']);
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
