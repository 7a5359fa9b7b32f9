import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { READING_TURNS } from "../src/proxy/reading-turns.ts";
import { dial, exchange, gateway, get, scriptedUpstream, type TestGateway, within } from "./proxy-fixtures.ts";

const MIB = 1024 * 1024;
const MANY = 40;
/** Each may read one buffer, and all of them together a turn's share. */
const MOST_IN_A_TURN = MANY * 64 * 1024 + MIB + 4 * 64 * 1024;
const LARGE = Buffer.alloc(16 * MIB, "x");

/** Adds up what moves in each turn of the event loop. */
const watchTurns = (t: TestContext, count: () => number): { most: number } => {
  const seen = { most: 0 };
  let last = count();
  let on = true;
  t.after(() => {
    on = false;
  });
  const look = (): void => {
    const now = count();
    seen.most = Math.max(seen.most, now - last);
    last = now;
    if (on) setImmediate(look);
  };
  setImmediate(look);
  return seen;
};

const until = async (what: string, check: () => boolean): Promise<void> => {
  const end = performance.now() + 5_000;
  while (!check()) {
    if (performance.now() > end) throw new Error(`not within 5 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

const sum = (gw: TestGateway, of: (socket: Socket) => number): number =>
  gw.handled.reduce((total, { socket }) => total + of(socket), 0);

const dialMany = (t: TestContext, port: number, head: string, body?: Buffer): Socket[] =>
  Array.from({ length: MANY }, () => {
    const socket = connect({ port, host: "127.0.0.1" });
    t.after(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.pause();
    socket.write(head);
    if (body !== undefined) socket.write(body);
    return socket;
  });

/** Until nothing moves any more. */
const settle = async (count: () => number): Promise<number> => {
  for (let last = -1, i = 0; i < 200; i += 1) {
    const now = count();
    if (now === last && now > 0) return now;
    last = now;
    await within(new Promise((resolve) => setTimeout(resolve, 100)), "a look later");
  }
  throw new Error("never settled");
};

describe("one turn of the event loop", () => {
  test(`${MANY} large answers that nobody reads take no more of it than their share`, async (t) => {
    const upstream = await scriptedUpstream(t, (peer) => {
      peer.socket.on("data", () => {
        peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE.length}\r\n\r\n`);
        peer.socket.write(LARGE);
      });
    });
    const gw = await gateway(t, upstream.origin);
    const turns = watchTurns(t, () => sum(gw, (socket) => socket.bytesWritten));
    const clients = dialMany(t, gw.port, get("/"));
    const taken = await settle(() => sum(gw, (socket) => socket.bytesWritten));
    assert.ok(taken > 2 * MOST_IN_A_TURN, `enough to tell: ${taken}`);
    assert.ok(turns.most <= MOST_IN_A_TURN, `${turns.most} bytes in one turn`);
    assert.equal(READING_TURNS.size, 0, "nobody waits for a turn that never comes");
    for (const client of clients) client.destroy();
  });

  test(`${MANY} large uploads that nobody reads take no more of it than their share`, async (t) => {
    const upstream = await scriptedUpstream(t, (peer) => void peer.socket.pause());
    const gw = await gateway(t, upstream.origin);
    const turns = watchTurns(t, () => sum(gw, (socket) => socket.bytesRead));
    const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${LARGE.length}\r\n\r\n`;
    const clients = dialMany(t, gw.port, head, LARGE);
    const taken = await settle(() => sum(gw, (socket) => socket.bytesRead));
    assert.ok(taken > 2 * MOST_IN_A_TURN, `enough to tell: ${taken}`);
    assert.ok(turns.most <= MOST_IN_A_TURN, `${turns.most} bytes in one turn`);
    assert.equal(READING_TURNS.size, 0);
    for (const client of clients) client.destroy();
  });

  test("what waits for its turn arrives whole, for those that read and beside those that leave", async (t) => {
    const body = Buffer.from(Array.from({ length: 4 * MIB }, (_, index) => index % 251));
    const hash = createHash("sha256").update(body).digest("hex");
    const upstream = await scriptedUpstream(t, (peer) => {
      peer.socket.on("data", () => {
        peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
        peer.socket.write(body);
      });
    });
    const gw = await gateway(t, upstream.origin);
    const leaving = dialMany(t, gw.port, get("/"));
    const reading = Array.from({ length: 12 }, async () => {
      const answer = await exchange(t, gw.port, get("/"), 20_000);
      assert.equal(createHash("sha256").update(Buffer.from(answer.body, "latin1")).digest("hex"), hash);
    });
    for (const client of leaving) client.destroy();
    await Promise.all(reading);
    const open = (): number =>
      upstream.connections.all.filter(({ closed, socket }) => !closed && !socket.readableEnded).length;
    await until("what was cut while it waited to let go of its upstream", () => gw.proxy.open === 0 && open() <= 12);
    assert.equal(READING_TURNS.size, 0);
  });

  test("an upload whose answer came early is thrown away in turns, too", async (t) => {
    const upstream = await scriptedUpstream(t, (peer) => {
      peer.socket.on("data", () => peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    });
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${LARGE.length}\r\n\r\n`);
    client.socket.on("error", () => undefined);
    client.socket.write(LARGE);
    await client.has("ok");
    assert.equal((await gw.results.next("the result")).outcome, "ok");
    await until("nobody to wait", () => READING_TURNS.size === 0);
  });
});
