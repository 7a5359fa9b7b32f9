import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { describe, type TestContext, test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { attachGuard } from "../src/guard/attach-guard.ts";
import { SERVER_OPTIONS } from "../src/guard/server-options.ts";
import { dial, get, portOf } from "./proxy-fixtures.ts";

const LARGE = Buffer.alloc(24 * 1024 * 1024, "x");

const keep = (path: string): string => get(path).replace("Connection: close\r\n", "");

const site = async (t: TestContext) => {
  const server = createServer(SERVER_OPTIONS);
  const answers: ServerResponse[] = [];
  attachGuard(server, {
    requestId: () => "refused-1",
    handle: ({ url }, outgoing) => {
      if (url === "/small") outgoing.end("small");
      else answers.push(outgoing.end(LARGE));
    },
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, answers, port: portOf(server) };
};

describe("idle connections are closed, and not those whose client is still taking its answer", () => {
  for (const [what, close] of [
    ["when room is needed", "closeIdleConnections"],
    ["at the end", "close"],
  ] as const) {
    test(what, async (t) => {
      const { server, answers, port } = await site(t);
      const idle = await dial(t, port, keep("/small"));
      await idle.has("small");
      const client = await dial(t, port, keep("/large"));
      client.socket.pause();
      await until("the answer to be handed over", () => answers[0]?.writableEnded === true);
      assert.equal(answers[0]?.writableFinished, false, "and not taken");
      server[close]();
      await idle.over();
      let length = 0;
      client.socket.on("data", (bytes: Buffer) => {
        length += bytes.length;
        client.received = client.received.slice(0, 500);
      });
      client.socket.resume();
      await until("all of the answer", () => length > LARGE.length);
      await until("its end", () => answers[0]?.closed === true);
      // Now it is idle, too.
      server.closeIdleConnections();
      await client.over();
    });
  }
});
