import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { listen } from "../src/server.ts";
import { within } from "./proxy-fixtures.ts";

const CONNECTIONS = 60;

const start = async () => {
  const state = { draining: false };
  const server = await listen({
    host: "127.0.0.1",
    port: 0,
    app: ({ outgoing }) => void outgoing.end("ok"),
    isDraining: () => state.draining,
    onMalformed: () => undefined,
  });
  const end = (): Promise<void> => {
    state.draining = true;
    return server.close({ lameDuckMs: 0, drainMs: 5_000, cutOpenCalls: () => undefined });
  };
  return { url: server.url, end };
};
const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** @returns its socket, what came on it, and the status of each answer once it is closed, or why it broke */
const dial = (url: string) => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (part: string) => {
    text += part;
  });
  const statuses = new Promise<string>((settle) => {
    socket.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? "broken"));
    socket.on("close", () => settle([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status).join()));
  });
  return { socket, text: () => text, statuses };
};

test("connections that the system has taken before the end are answered, and none is reset", async () => {
  const { url, end } = await start();
  // One is taken a turn: when the end begins, most of them wait in the system's queue.
  const clients = Array.from({ length: CONNECTIONS }, () => dial(url));
  for (const { socket } of clients) socket.write(REQUEST);
  const ended = end();
  const answers = Promise.all(clients.map(({ statuses }) => statuses));
  assert.deepEqual(new Set(await within(answers, "the answers", 10_000)), new Set(["200"]));
  await within(ended, "the end", 10_000);
});

test("a request that is on its way when the end begins is answered, also on a kept connection", async () => {
  const { url, end } = await start();
  const { socket, text, statuses } = dial(url);
  socket.write(REQUEST);
  await until("the first answer", () => text().includes("ok"));
  const ended = end();
  setTimeout(() => socket.write(REQUEST), 50);
  assert.equal(await within(statuses, "the second answer", 10_000), "200,200");
  await within(ended, "the end", 10_000);
});
