import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, afterEach, before, beforeEach, describe, it, mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { initHome, openHome, type Store } from "@aigw/core";
import { FairQueue, type QueueTerms, slotsIn, type Ticket, waitingIn } from "@aigw/core/queue";
import { FixedClock, HostileStore } from "@aigw/core/testing";
import fc from "fast-check";

const STEP_MS = 5;
const clock = new FixedClock();
const errors: unknown[] = [];
let folder = "";
let real: Store;
let services = 0;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "aigw-queue-"));
  const home = join(folder, "home");
  await initHome({ home, at: clock.now(), actor: "test" });
  ({ store: real } = await openHome({ home, clock }));
});
after(async () => {
  await real.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "setInterval"] }));
afterEach(() => {
  mock.timers.reset();
  assert.deepEqual(errors.splice(0), []);
});

interface SimulatedCall {
  readonly client: string;
  readonly gateway: number;
  readonly ticket: Ticket;
  weight: number;
  waited: number | undefined;
  refused: string | undefined;
  endsAt: number;
  holdMs: number;
}

interface CallFacts {
  readonly weight?: number;
  readonly holdMs?: number;
  readonly waitMs?: number;
  readonly mayWait?: () => boolean;
}

/** Gateways on one store, a service that takes its time, and time that passes in steps. */
class World {
  readonly stores: HostileStore[];
  readonly queues: FairQueue[];
  readonly killed = new Set<number>();
  terms: QueueTerms;
  /** Those that the service has. */
  readonly running: Set<SimulatedCall> = new Set();
  /** In the order in which they began. */
  readonly served: SimulatedCall[] = [];
  most = 0;
  holdMs = 100;

  /** @param isRemote as an engine behind a network answers; @param known how many gateways each believes that there are */
  constructor(gateways: number, terms: Partial<QueueTerms>, isRemote = false, known = gateways) {
    services += 1;
    this.terms = { key: `s_${services}`, concurrency: 1, most: 100_000, waitMs: 3_600_000, ...terms };
    this.stores = Array.from({ length: gateways }, () => new HostileStore(real));
    if (isRemote) for (const store of this.stores) store.treatAll({ kind: "promise" });
    this.queues = this.stores.map(
      (store, index) =>
        new FairQueue({
          store: store.traffic,
          holder: `gw-${index}`,
          share: () => ({ of: known, rank: Math.min(index, known - 1) }),
          onError: (error) => errors.push(error),
        }),
    );
  }

  enter(gateway: number, client: string, facts: CallFacts = {}): SimulatedCall {
    const came = real.traffic.steadyNow();
    const begin = (): void => {
      if (this.killed.has(gateway)) return;
      const now = real.traffic.steadyNow();
      call.waited = now - came;
      call.endsAt = now + call.holdMs;
      this.running.add(call);
      this.served.push(call);
      this.most = Math.max(this.most, this.running.size);
    };
    const call = { client, gateway, weight: facts.weight ?? 1, waited: undefined, refused: undefined, endsAt: 0 } as {
      -readonly [K in keyof SimulatedCall]: SimulatedCall[K];
    };
    call.holdMs = facts.holdMs ?? this.holdMs;
    const queue = this.#queue(gateway);
    call.ticket = queue.enter(this.terms, {
      client,
      weight: () => call.weight,
      ...(facts.waitMs !== undefined && { waitMs: facts.waitMs }),
      mayWait: facts.mayWait ?? (() => true),
      onTurn: begin,
      onRefused: (why) => {
        call.refused = why;
      },
    });
    if (call.ticket.state === "has_slot") begin();
    if (call.ticket.state === "refused") call.refused = call.ticket.why;
    return call;
  }

  leave(call: SimulatedCall): void {
    this.running.delete(call);
    this.#queue(call.gateway).leave(call.ticket);
  }

  /** Its calls break off at the service, and nobody hears of it again. */
  kill(gateway: number): void {
    this.killed.add(gateway);
    this.stores[gateway]?.treatAll({ kind: "throws" });
    for (const call of this.running) if (call.gateway === gateway) this.running.delete(call);
  }

  async pass(ms: number, until: () => boolean = () => false): Promise<void> {
    for (let passed = 0; passed < ms && !until(); passed += STEP_MS) {
      clock.advance(STEP_MS);
      const now = real.traffic.steadyNow();
      for (const call of [...this.running]) if (call.endsAt <= now) this.leave(call);
      mock.timers.tick(STEP_MS);
      for (let turns = 0; turns < 6; turns += 1) await turn();
    }
  }

  async record(): Promise<{ readonly slots: number; readonly waiting: number }> {
    const found = await real.traffic.queueRecord(this.terms.key);
    return found === undefined
      ? { slots: 0, waiting: 0 }
      : { slots: slotsIn(found.record), waiting: waitingIn(found.record) };
  }

  async close(): Promise<void> {
    for (const call of [...this.running]) this.leave(call);
    for (const [index, queue] of this.queues.entries()) if (!this.killed.has(index)) await queue.close();
    for (const [index, queue] of this.queues.entries()) if (this.killed.has(index)) await queue.close();
  }

  #queue(gateway: number): FairQueue {
    const queue = this.queues[gateway];
    assert.ok(queue);
    return queue;
  }
}

for (const isRemote of [false, true]) {
  describe(isRemote ? "a queue on an engine behind a network" : "a queue on an engine that answers at once", () => {
    const world = (gateways: number, terms: Partial<QueueTerms> = {}): World => new World(gateways, terms, isRemote);

    it("has no more calls at the service than slots, over all gateways, and uses them all", async () => {
      const one = world(3, { concurrency: 4 });
      for (let n = 0; n < 120; n += 1) one.enter(n % 3, `c_${n % 5}`);
      await one.pass(5_000, () => one.served.length === 120 && one.running.size === 0);
      assert.equal(one.served.length, 120);
      assert.equal(one.most, 4);
      // 30 rounds of 100 ms are 3 s; looks between gateways cost some of it.
      const spent = Math.max(...one.served.map(({ endsAt }) => endsAt)) - Math.min(...one.served.map((c) => c.endsAt));
      assert.ok(spent < 4_500, `${spent} ms`);
      await one.pass(2_000);
      assert.deepEqual(await one.record(), { slots: 0, waiting: 0 });
      await one.close();
    });

    it("lets a client wait for at most two calls, however many another has waiting", async () => {
      const one = world(3);
      for (let n = 0; n < 1_000; n += 1) one.enter(n % 3, "c_greedy");
      const light: SimulatedCall[] = [];
      for (let n = 0; n < 12; n += 1) {
        await one.pass(170 + n * 20);
        light.push(one.enter(n % 3, "c_light"));
      }
      await one.pass(1_000);
      for (const { waited } of light) assert.ok(waited !== undefined && waited <= 200, `waited ${waited} ms`);
      assert.equal(one.most, 1);
      assert.ok(one.served.filter(({ client }) => client === "c_greedy").length > 20);
      await one.close();
    });

    it("shares slots by weight, within 5 % over 1,000 calls", async () => {
      const one = world(3, { concurrency: 3 });
      one.holdMs = 20;
      const weights = { c_1: 1, c_2: 2, c_5: 5 };
      for (let n = 0; n < 900; n += 1) {
        for (const [client, weight] of Object.entries(weights)) one.enter(n % 3, client, { weight });
      }
      await one.pass(30_000, () => one.served.length >= 1_000);
      const first = one.served.slice(0, 1_000);
      for (const [client, weight] of Object.entries(weights)) {
        const part = first.filter((call) => call.client === client).length / 1_000;
        const due = weight / 8;
        assert.ok(Math.abs(part - due) <= due * 0.05, `${client}: ${part} of ${due}`);
      }
      assert.equal(one.most, 3);
      await one.close();
    });

    it("serves a client's calls in the order in which they came, at whichever gateway", async () => {
      const one = world(2);
      const calls: SimulatedCall[] = [];
      for (let n = 0; n < 40; n += 1) {
        calls.push(one.enter(n % 2, "c_1"));
        await one.pass(5);
      }
      await one.pass(6_000, () => one.served.length === 40);
      const order = one.served.map((call) => calls.indexOf(call));
      for (const [place, index] of order.entries()) assert.ok(Math.abs(place - index) <= 2, order.join(" "));
      await one.close();
    });

    it("gives the slots of a killed gateway back within 5 s, and those that waited there are gone", async () => {
      const one = world(2, { concurrency: 2 });
      const lost = [one.enter(0, "c_1", { holdMs: 60_000 }), one.enter(0, "c_2", { holdMs: 60_000 })];
      await one.pass(3_000);
      for (let n = 0; n < 5; n += 1) one.enter(0, "c_3");
      await one.pass(100);
      const next = one.enter(1, "c_1");
      await one.pass(500);
      assert.deepEqual([...one.running], lost);
      one.kill(0);
      await one.pass(5_000, () => next.waited !== undefined);
      assert.ok(next.waited !== undefined && next.waited <= 5_500, `${next.waited}`);
      const second = [one.enter(1, "c_1"), one.enter(1, "c_2")];
      await one.pass(400);
      assert.ok(second.every(({ waited }) => waited !== undefined));
      await one.close();
    });

    it("gives a slot at once where it was a moment ago, without writing to the store, until somebody waits elsewhere", async () => {
      const one = world(2, { concurrency: 2 });
      one.enter(0, "c_1", { holdMs: 10 });
      await one.pass(30);
      const [store] = one.stores;
      assert.ok(store);
      const writes = store.calls("traffic.setQueueRecord");
      for (let n = 0; n < 10; n += 1) {
        assert.equal(one.enter(0, "c_1", { holdMs: 10 }).waited, 0);
        await one.pass(30);
      }
      assert.equal(store.calls("traffic.setQueueRecord"), writes);
      const elsewhere = [one.enter(1, "c_2"), one.enter(1, "c_2")];
      await one.pass(100, () => elsewhere.every(({ waited }) => waited !== undefined));
      assert.ok((elsewhere[0]?.waited ?? 1_000) <= 5, `${elsewhere[0]?.waited}`);
      assert.ok((elsewhere[1]?.waited ?? 1_000) <= 60, `${elsewhere[1]?.waited}`);
      await one.pass(2_000);
      assert.deepEqual(await one.record(), { slots: 0, waiting: 0 });
      await one.close();
    });

    it("has an idle service's last slot for whichever gateway is called next", async () => {
      const one = world(3, { concurrency: 2 });
      for (let n = 0; n < 30; n += 1) {
        const [here, there] = [one.enter(n % 3, "c_1", { holdMs: 10 }), one.enter((n + 1) % 3, "c_2", { holdMs: 10 })];
        await one.pass(30);
        for (const { waited } of [here, there]) assert.ok((waited ?? 1_000) <= 35, `${waited} ms`);
      }
      const single = world(2);
      for (let n = 0; n < 30; n += 1) {
        const call = single.enter(n % 2, "c_1", { holdMs: 10 });
        await single.pass(30);
        assert.ok((call.waited ?? 1_000) <= 5, `${call.waited} ms`);
      }
      assert.deepEqual(await single.record(), { slots: 0, waiting: 0 });
      await one.close();
      await single.close();
    });

    it("gives what it has kept to who waits elsewhere, be it a gateway that it has not heard of yet", async () => {
      const one = new World(2, { concurrency: 1 }, isRemote, 1);
      one.enter(0, "c_1", { holdMs: 10 });
      await one.pass(30);
      assert.equal((await one.record()).slots, 1);
      const elsewhere = one.enter(1, "c_2");
      await one.pass(100, () => elsewhere.waited !== undefined);
      assert.ok((elsewhere.waited ?? 1_000) <= 60, `${elsewhere.waited}`);
      await one.close();
    });

    it("refuses what is more than may wait: of whoever has most waiting", async () => {
      const one = world(2, { most: 10 });
      const greedy = Array.from({ length: 30 }, (_, n) => one.enter(n % 2, "c_greedy", { holdMs: 1_000 }));
      await one.pass(100);
      assert.equal(greedy.filter(({ refused }) => refused === "full").length, 19);
      assert.deepEqual(await one.record(), { slots: 1, waiting: 10 });
      const light = [one.enter(1, "c_light"), one.enter(0, "c_light")];
      await one.pass(100);
      assert.deepEqual(
        light.map(({ refused }) => refused),
        [undefined, undefined],
      );
      assert.equal(greedy.filter(({ refused }) => refused === "full").length, 21);
      assert.deepEqual(await one.record(), { slots: 1, waiting: 10 });
      // Eight and two: a fifth one is nobody's to push out who has as many.
      const more = Array.from({ length: 6 }, () => one.enter(0, "c_light"));
      await one.pass(100);
      assert.equal(more.filter(({ refused }) => refused === "full").length, 3);
      assert.equal(await one.record().then(({ waiting }) => waiting), 10);
      await one.close();
    });

    it("refuses nobody for want of a place to wait while another gateway has slots that no call uses", async () => {
      for (const most of [0, 1]) {
        const one = world(2, { concurrency: 4, most });
        for (let n = 0; n < 3; n += 1) {
          one.enter(0, "c_1", { holdMs: 10 });
          await one.pass(5);
        }
        await one.pass(60, () => one.running.size === 0);
        const calls = Array.from({ length: 4 }, () => one.enter(1, "c_2", { holdMs: 500 }));
        await one.pass(100);
        assert.deepEqual(
          calls.map(({ refused, waited = 1_000 }) => refused ?? waited <= 60),
          [true, true, true, true],
        );
        await one.close();
      }
    });

    it("refuses at once where nobody may wait, and what waits too long, may wait no more, or meets the end", async () => {
      const one = world(1, { most: 0 });
      one.enter(0, "c_1", { holdMs: 10_000 });
      await one.pass(50);
      const none = one.enter(0, "c_2");
      await one.pass(50);
      assert.equal(none.refused, "full");
      one.terms = { ...one.terms, most: 5, waitMs: 1_000 };
      let mayWait = true;
      const ended = one.enter(0, "c_2", { mayWait: () => mayWait });
      const late = one.enter(0, "c_2");
      const patient = one.enter(0, "c_2", { waitMs: 5_000 });
      const gone = one.enter(0, "c_3");
      await one.pass(500);
      mayWait = false;
      one.queues[0]?.review();
      assert.equal(ended.refused, "ended");
      one.leave(gone);
      await one.pass(400);
      assert.equal(late.refused, undefined);
      await one.pass(200);
      assert.equal(late.refused, "too_long");
      assert.equal(gone.refused, undefined);
      assert.deepEqual(await one.record(), { slots: 1, waiting: 1 });
      one.queues[0]?.refuseAll();
      assert.equal(patient.refused, "closing");
      await one.close();
    });

    it("forgets a call that leaves while the store is told of it", async () => {
      const one = world(2);
      const first = one.enter(0, "c_0", { holdMs: 60_000 });
      await one.pass(300);
      one.stores[1]?.treat("traffic.setQueueRecord", { kind: "held" });
      const late = one.enter(1, "c_1");
      await one.pass(10);
      one.leave(late);
      one.stores[1]?.calm();
      one.stores[1]?.release();
      await one.pass(100);
      assert.deepEqual(await one.record(), { slots: 1, waiting: 0 });
      const next = one.enter(0, "c_2");
      one.leave(first);
      await one.pass(200);
      assert.ok((next.waited ?? 1_000) <= 60, `${next.waited}`);
      await one.close();
    });

    it("follows its settings: more slots, fewer, none of it", async () => {
      const one = world(2);
      const calls = Array.from({ length: 8 }, (_, n) => one.enter(n % 2, "c_1", { holdMs: 2_000 }));
      await one.pass(200);
      assert.equal(one.running.size, 1);
      const set = (terms: QueueTerms | undefined): void => {
        for (const queue of one.queues) queue.follow(() => terms);
      };
      one.terms = { ...one.terms, concurrency: 3 };
      set(one.terms);
      await one.pass(200);
      assert.equal(one.running.size, 3);
      one.terms = { ...one.terms, concurrency: 2 };
      set(one.terms);
      await one.pass(2_200);
      assert.equal(one.running.size, 2);
      set(undefined);
      assert.ok(calls.every(({ waited }) => waited !== undefined));
      await one.pass(4_000);
      assert.deepEqual(await one.record(), { slots: 0, waiting: 0 });
      await one.close();
    });

    it("knows how long it takes until a call that comes has its turn, by how long calls took", async () => {
      const one = world(2, { concurrency: 2 });
      assert.equal(one.queues[0]?.waitFor(one.terms), 500);
      for (let n = 0; n < 40; n += 1) one.enter(n % 2, "c_1", { holdMs: 2_000 });
      await one.pass(34_100);
      // Some eighteen have ended, and some twenty wait.
      const [here, there] = one.queues.map((queue) => queue.waitFor(one.terms));
      const due = (1 + (await one.record()).waiting) * 1_000;
      for (const ms of [here, there]) assert.ok(Math.abs((ms ?? 0) - due) < due / 5, `${ms} of ${due}`);
      await one.close();
    });

    it("knows it also when it was idle for half a day, and of the first calls by how long those are under way", async () => {
      const one = world(1);
      for (let n = 0; n < 3; n += 1) one.enter(0, "c_1", { holdMs: 20_000 });
      await one.pass(10_000);
      assert.ok(Math.abs((one.queues[0]?.waitFor(one.terms) ?? 0) - 30_000) < 200, "two wait, for 10 s as it seems");
      await one.pass(55_000, () => one.served.length === 3 && one.running.size === 0);
      await one.pass(2_000);
      clock.advance(12 * 3_600_000);
      await real.traffic.pruneQueueRecords(real.traffic.steadyNow());
      for (let n = 0; n < 3; n += 1) one.enter(0, "c_1", { holdMs: 20_000 });
      await one.pass(200);
      assert.ok(Math.abs((one.queues[0]?.waitFor(one.terms) ?? 0) - 60_000) < 200, "two wait, for 20 s");
      await one.close();
    });

    it("goes on without the store, each gateway with its share, and with all of it behind that", async () => {
      const one = world(2, { concurrency: 4 });
      for (let n = 0; n < 4; n += 1) one.enter(0, "c_1", { holdMs: 50 });
      await one.pass(100);
      for (const store of one.stores) store.treatAll({ kind: "throws", ...(isRemote && { later: 1 }) });
      one.most = 0;
      for (let n = 0; n < 200; n += 1) one.enter(n % 2, `c_${n % 3}`);
      await one.pass(6_000);
      assert.ok(one.most <= 4, `${one.most} at once`);
      const alone = one.served.length;
      assert.ok(alone > 100, `${alone} served`);
      for (const store of one.stores) if (isRemote) store.treatAll({ kind: "promise" });
      for (const store of one.stores) if (!isRemote) store.calm();
      for (let n = 0; n < 400; n += 1) one.enter(n % 2, `c_${n % 3}`);
      await one.pass(12_000);
      assert.ok(one.most <= 4, `${one.most} at once`);
      assert.ok(one.served.length - alone > 300);
      await one.close();
    });

    it("has no more than a share too many while one gateway alone is cut off from the store", async () => {
      const one = world(2, { concurrency: 4 });
      for (let n = 0; n < 800; n += 1) one.enter(n % 2, `c_${n % 3}`);
      await one.pass(500);
      one.stores[0]?.treatAll({ kind: "throws", ...(isRemote && { later: 1 }) });
      await one.pass(9_000);
      assert.ok(one.most > 4 && one.most <= 4 + 2, `${one.most} at once`);
      one.stores[0]?.calm();
      if (isRemote) one.stores[0]?.treatAll({ kind: "promise" });
      await one.pass(4_000);
      one.most = one.running.size;
      await one.pass(1_000);
      assert.equal(one.most, 4);
      await one.close();
    });

    it("has no call begin in place of those of a gateway that was cut off and is back", async () => {
      const one = world(2, { concurrency: 2 });
      const [cut] = one.stores;
      const long = [one.enter(0, "c_1", { holdMs: 20_000 }), one.enter(0, "c_1", { holdMs: 20_000 })];
      await one.pass(500);
      cut?.treatAll({ kind: "never" });
      for (let n = 0; n < 20; n += 1) one.enter(1, "c_2", { holdMs: 1_000 });
      await one.pass(3_300);
      assert.equal(one.running.size, 2);
      // Its leases are over: what it held is beside what others begin, and no more.
      await one.pass(4_000);
      assert.equal(one.most, 4);
      cut?.calm();
      if (isRemote) cut?.treatAll({ kind: "promise" });
      await one.pass(3_000);
      assert.deepEqual([...one.running], long);
      await one.pass(8_000);
      assert.deepEqual([...one.running], long);
      await one.pass(20_000, () => one.served.length === 22 && one.running.size === 0);
      assert.equal(one.served.length, 22);
      await one.close();
    });

    it("knows what became of a write that was not answered", async () => {
      const one = world(2, { concurrency: 2 });
      for (let n = 0; n < 20; n += 1) one.enter(n % 2, "c_1");
      await one.pass(300);
      const [store] = one.stores;
      store?.treat("traffic.setQueueRecord", { kind: "unanswered" });
      await one.pass(600);
      store?.calm();
      if (isRemote) store?.treatAll({ kind: "promise" });
      await one.pass(8_000, () => one.served.length === 20 && one.running.size === 0);
      assert.equal(one.served.length, 20);
      assert.equal(one.most, 2);
      await one.pass(2_000);
      assert.deepEqual(await one.record(), { slots: 0, waiting: 0 });
      await one.close();
    });
  });
}

it("begins anew where the record is damaged, with what gateways say that they have", async () => {
  const one = new World(2, { concurrency: 2 });
  const first = one.enter(0, "c_1", { holdMs: 5_000 });
  await one.pass(100);
  const db = new DatabaseSync(join(folder, "home", "aigw.usage.db"));
  for (const text of ["{", '{"turn":0}', '{"turn":0,"ahead":{},"holdMs":0,"holders":{"x":{"slots":"two"}}}']) {
    db.prepare("UPDATE queues SET record = ? WHERE key = ?").run(text, one.terms.key);
    const next = one.enter(1, "c_2");
    await one.pass(1_200);
    assert.equal(next.waited, 0);
    assert.deepEqual(await one.record(), { slots: 1, waiting: 0 });
  }
  db.close();
  assert.ok(one.running.has(first));
  assert.equal(one.most, 2);
  await one.close();
});

it("whatever calls, leaves and is killed: never more than the slots, nobody is forgotten, nothing is left behind", async () => {
  const act = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("enter"), gateway: fc.nat(2), client: fc.nat(3) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("leave"), gateway: fc.nat(2), client: fc.nat(3) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("pass"), gateway: fc.nat(30), client: fc.constant(0) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("close"), gateway: fc.constant(2), client: fc.constant(0) }),
    },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.integer({ min: 1, max: 3 }),
      fc.array(act, { maxLength: 60 }),
      async (isRemote, concurrency, acts) => {
        const one = new World(3, { concurrency }, isRemote);
        const calls: SimulatedCall[] = [];
        let closed = false;
        for (const { kind, gateway, client } of acts) {
          if (kind === "enter" && !(closed && gateway === 2)) {
            calls.push(one.enter(gateway, `c_${client}`, { weight: client + 1, holdMs: 20 + 30 * client }));
          } else if (kind === "leave") {
            const call = calls.find((each) => each.client === `c_${client}` && each.ticket.state === "waits");
            if (call !== undefined) one.leave(call);
          } else if (kind === "pass") await one.pass(gateway * STEP_MS);
          else if (kind === "close" && !closed) {
            closed = true;
            // As a gateway ends: first nobody waits, then nothing runs.
            one.queues[2]?.refuseAll();
            for (const call of [...one.running]) if (call.gateway === 2) one.leave(call);
            await one.queues[2]?.close();
          }
        }
        await one.pass(10_000, () => one.running.size === 0 && calls.every(({ ticket }) => ticket.state !== "waits"));
        assert.ok(one.most <= concurrency, `${one.most} of ${concurrency}`);
        for (const { ticket, refused } of calls) {
          if (ticket.state === "refused") assert.equal(refused, "closing");
          else assert.equal(ticket.state, "left");
        }
        await one.pass(2_000);
        assert.deepEqual(await one.record(), { slots: 0, waiting: 0 });
        await one.close();
      },
    ),
    { numRuns: 40 },
  );
});
