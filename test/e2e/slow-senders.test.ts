import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { speedUp } from "../support/fast-time.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";

/** Less than what fast time makes fast. */
const PATIENCE_MS = 9_500;

/** A connection, what came on it, and whether it is still open. */
const dial = (url: string, begin: string): { socket: Socket; text: () => string; isOpen: () => boolean } => {
  const { hostname, port } = new URL(url);
  let text = "";
  let open = true;
  const socket = connect(Number(port), hostname);
  socket.write(begin);
  socket.setEncoding("latin1").on("data", (part: string) => {
    text += part;
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    open = false;
  });
  return { socket, text: () => text, isOpen: () => open };
};

describe("a client that takes its time is let go of", { concurrency: true }, () => {
  const cleanUps: (() => unknown)[] = [];
  const owner = { after: (cleanUp?: unknown) => void cleanUps.push(cleanUp as () => unknown) };
  let gateway: TestGateway;
  before(async () => {
    speedUp(owner);
    gateway = await startTestGateway(owner);
  });
  after(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  });

  /** Sends a byte now and again, for ever. */
  const dribble = (socket: Socket): void => {
    const timer = setInterval(() => socket.write("a"), 20);
    socket.on("close", () => clearInterval(timer));
  };

  it("one whose header never ends", async () => {
    const client = dial(gateway.url, "GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    dribble(client.socket);
    await until("its end", () => !client.isOpen(), PATIENCE_MS);
    assert.match(client.text(), /^HTTP\/1\.1 408 /);
  });

  it("one that never says anything", async () => {
    const client = dial(gateway.url, "");
    await until("its end", () => !client.isOpen(), PATIENCE_MS);
  });

  it("one whose credentials never end", async () => {
    const fields = "Host: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 8000";
    const client = dial(gateway.url, `POST /auth/token HTTP/1.1\r\n${fields}\r\n\r\nusername=`);
    dribble(client.socket);
    await until("its end", () => !client.isOpen(), PATIENCE_MS);
    assert.doesNotMatch(client.text(), /^HTTP\/1\.1 (2|400)/);
  });

  it("one that keeps its connection and asks nothing more", async () => {
    const client = dial(gateway.url, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    await until("the answer", () => client.text().includes("HTTP/1.1 200 OK"), PATIENCE_MS);
    client.socket.write("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    await until("another", () => client.text().match(/HTTP\/1\.1 200 OK/g)?.length === 2, PATIENCE_MS);
    await until("its end", () => !client.isOpen(), PATIENCE_MS);
  });
});
