import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../../test/support/until.ts";
import { AddressBook } from "../src/proxy/upstream/address-book.ts";
import type { Address } from "../src/proxy/upstream/opening.ts";
import { dial, exchange, gateway, get, portOf, within } from "./proxy-fixtures.ts";

const at = (...addresses: readonly string[]): readonly Address[] =>
  addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));

interface Host {
  readonly port: number;
  readonly open: Set<Socket>;
  calls: number;
  /** Answers are begun and not ended. */
  streams: boolean;
}

/** The service on one address, which says where it is called. */
const host = async (t: TestContext, address: string, port = 0): Promise<Host> => {
  const facts = { port: 0, open: new Set<Socket>(), calls: 0, streams: false };
  const server = createServer((socket) => {
    facts.open.add(socket);
    socket.on("error", () => undefined).on("close", () => facts.open.delete(socket));
    socket.on("data", () => {
      facts.calls += 1;
      if (facts.streams) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nbegun");
      else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${address.length}\r\n\r\n${address}`);
    });
  });
  server.listen(port, address);
  await within(once(server, "listening"), "listening");
  t.after(() => {
    for (const socket of facts.open) socket.destroy();
    server.close();
  });
  facts.port = portOf(server);
  return facts;
};

describe("the addresses of a service's name", () => {
  test("do not go by one answer that names a few, also when none came for a while before", async () => {
    let now = 0;
    let answer: () => readonly Address[] = () => at("127.0.0.2", "127.0.0.3");
    const book = new AddressBook(
      "svc.test",
      async () => answer(),
      () => now,
    );
    const look = async (): Promise<void> => void (await book.inTurn().catch(() => undefined));
    await look();
    answer = () => {
      throw new Error("the name server is away");
    };
    now += 20_000;
    await look();
    answer = () => at("127.0.0.2");
    now += 10_000;
    await look();
    assert.equal(book.isGone("127.0.0.3"), false);
    now += 10_000;
    await look();
    assert.equal(book.isGone("127.0.0.3"), true);
  });

  test("all of them are used; one that is not there costs one attempt in 30 s", async (t) => {
    const one = await host(t, "127.0.0.2");
    const other = await host(t, "127.0.0.3", one.port);
    const { port } = await gateway(t, `http://svc.test:${one.port}`, {
      lookup: async () => at("127.0.0.2", "127.0.0.3", "127.0.0.4"),
    });
    // At once, so that each needs a connection of its own.
    await Promise.all(Array.from({ length: 12 }, () => exchange(t, port, get("/x"))));
    assert.ok(one.calls >= 3 && other.calls >= 3, `${one.calls} and ${other.calls}`);
    assert.equal(one.calls + other.calls, 12);
  });

  test("change under steady traffic: within 30 s nothing goes to the old one, its connections are closed, streams go on", async (t) => {
    const old = await host(t, "127.0.0.2");
    const fresh = await host(t, "127.0.0.3", old.port);
    let addresses = at("127.0.0.2");
    const hand = { now: 1_000 };
    const { port } = await gateway(t, `http://svc.test:${old.port}`, {
      lookup: async () => addresses,
      clock: () => hand.now,
      idleTimeoutMs: 600_000,
    });
    old.streams = true;
    const stream = await dial(t, port, get("/stream"));
    await stream.has("begun");
    old.streams = false;
    await exchange(t, port, get("/x"));
    addresses = at("127.0.0.3");
    let passed = 0;
    for (; passed <= 30_000 && old.open.size > 1; passed += 1_000) {
      // Often enough that a kept connection never rests for too long.
      hand.now += 1_000;
      await exchange(t, port, get("/x"));
      await delay(120);
    }
    assert.ok(passed <= 30_000, `${old.open.size} connections after ${passed} ms`);
    const before = old.calls;
    for (let n = 0; n < 5; n += 1) assert.equal((await exchange(t, port, get("/x"))).body, "127.0.0.3");
    assert.equal(old.calls, before);
    assert.ok(fresh.calls >= 5);
    assert.equal(stream.closed, false);
    assert.equal(old.open.size, 1, "the stream's");
  });

  test("a connection rests for as long as the service says, and no longer", async (t) => {
    const one = await host(t, "127.0.0.2");
    const hand = { now: 1_000 };
    const { port } = await gateway(t, `http://127.0.0.2:${one.port}`, {
      clock: () => hand.now,
      connection: { idleMs: 300 },
    });
    await exchange(t, port, get("/x"));
    hand.now += 290;
    await delay(150);
    assert.equal(one.open.size, 1);
    hand.now += 20;
    await until("its end", () => one.open.size === 0, 1_000);
  });

  test("a name server that is away, or tells a part, makes no address go", async () => {
    const hand = { now: 0 };
    let answer: () => Promise<readonly Address[]> = async () => at("127.0.0.2", "127.0.0.3");
    const book = new AddressBook(
      "svc.test",
      () => answer(),
      () => hand.now,
    );
    await book.inTurn();
    answer = () => Promise.reject(new Error("away"));
    for (let n = 0; n < 6; n += 1) {
      hand.now += 10_000;
      book.refresh(hand.now);
      await delay(1);
    }
    assert.equal(book.isGone("127.0.0.3"), false);
    // Each time another half of them.
    for (let n = 0; n < 6; n += 1) {
      answer = async () => at(n % 2 === 0 ? "127.0.0.2" : "127.0.0.3");
      hand.now += 10_000;
      book.refresh(hand.now);
      await delay(1);
      if (n > 0) assert.deepEqual([book.isGone("127.0.0.2"), book.isGone("127.0.0.3")], [false, false]);
    }
    answer = async () => at("127.0.0.2");
    for (let n = 0; n < 2; n += 1) {
      hand.now += 10_000;
      book.refresh(hand.now);
      await delay(1);
    }
    assert.deepEqual([book.isGone("127.0.0.2"), book.isGone("127.0.0.3")], [false, true]);
  });

  test("take turns over both families, and those that failed come last", async () => {
    const hand = { now: 0 };
    const book = new AddressBook(
      "svc.test",
      async () => at("::1", "::2", "127.0.0.1", "127.0.0.2"),
      () => hand.now,
    );
    const order = async (): Promise<string> => (await book.inTurn()).map(({ address }) => address).join(" ");
    assert.equal(await order(), "::1 127.0.0.1 ::2 127.0.0.2");
    assert.equal(await order(), "::2 127.0.0.1 ::1 127.0.0.2");
    assert.equal(await order(), "127.0.0.1 ::1 127.0.0.2 ::2");
    book.shun("::1");
    book.shun("::2");
    await order();
    assert.match(await order(), /^127\.0\.0\.1 127\.0\.0\.2 ::/);
    hand.now += 30_000;
    await until("the end of the shunning", async () => /^::/.test(await order()));
  });
});
