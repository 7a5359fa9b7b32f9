import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { listen } from "../src/server.ts";
import { within } from "./proxy-fixtures.ts";

const CONNECTIONS = 60;

test("connections that the system has taken before the end are answered, and none is reset", async () => {
  const server = await listen({
    host: "127.0.0.1",
    port: 0,
    app: ({ outgoing }) => void outgoing.end("ok"),
    isDraining: () => true,
    onMalformed: () => undefined,
  });
  const { port } = new URL(server.url);
  // One is taken a turn: when the end begins, most of them wait in the system's queue.
  const answers = Array.from(
    { length: CONNECTIONS },
    () =>
      new Promise<string>((settle) => {
        let text = "";
        const socket = connect(Number(port), "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        socket.setEncoding("latin1").on("data", (part: string) => {
          text += part;
        });
        socket.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? "broken"));
        socket.on("close", () => settle(text.split("\r\n", 1)[0] ?? ""));
      }),
  );
  const closed = server.close({ lameDuckMs: 0, drainMs: 5_000, cutOpenCalls: () => undefined });
  assert.deepEqual(new Set(await within(Promise.all(answers), "the answers", 10_000)), new Set(["HTTP/1.1 200 OK"]));
  await within(closed, "the end", 10_000);
});
