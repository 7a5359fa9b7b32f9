import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { listen } from "../src/server.ts";
import { within } from "./proxy-fixtures.ts";

const CONNECTIONS = 60;

const start = () =>
  listen({
    host: "127.0.0.1",
    port: 0,
    app: ({ outgoing }) => void outgoing.end("ok"),
    isDraining: () => true,
    onMalformed: () => undefined,
  });
const END = { lameDuckMs: 0, drainMs: 5_000, cutOpenCalls: () => undefined };
const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** @returns its socket, and the status line of what it is answered, or why it is not */
const dial = (url: string): { readonly socket: Socket; readonly answer: Promise<string> } => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (part: string) => {
    text += part;
  });
  const answer = new Promise<string>((settle) => {
    socket.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? "broken"));
    socket.on("close", () => settle(text.split("\r\n", 1)[0] ?? ""));
  });
  return { socket, answer };
};

test("connections that the system has taken before the end are answered, and none is reset", async () => {
  const server = await start();
  // One is taken a turn: when the end begins, most of them wait in the system's queue.
  const answers = Array.from({ length: CONNECTIONS }, () => {
    const { socket, answer } = dial(server.url);
    socket.write(REQUEST);
    return answer;
  });
  const closed = server.close(END);
  assert.deepEqual(new Set(await within(Promise.all(answers), "the answers", 10_000)), new Set(["HTTP/1.1 200 OK"]));
  await within(closed, "the end", 10_000);
});

test("a connection taken at the last moment may still bring its request", async () => {
  const server = await start();
  const { socket, answer } = dial(server.url);
  await within(once(socket, "connect"), "the connection");
  const closed = server.close(END);
  setTimeout(() => socket.write(REQUEST), 50);
  assert.equal(await within(answer, "the answer", 10_000), "HTTP/1.1 200 OK");
  await within(closed, "the end", 10_000);
});
