import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { HashSlots } from "../src/login/hash-slots.ts";
import { KnownSources } from "../src/login/known-sources.ts";
import { networksOf } from "../src/login/networks.ts";
import { RecentLogins } from "../src/login/recent-logins.ts";

/** Two where there are two cores: their number does not matter to what is tested. */
const MOST_AT_ONCE = 2;
const QUEUE = 128;

/** Hashes that take until they are told to end. */
const bench = () => {
  let now = 0;
  const slots = new HashSlots(() => now);
  const atWork: { source: string; end: () => void }[] = [];
  const begun: string[] = [];
  const turnedAway: string[] = [];
  const apply = (source: string, options: { account?: string; isGone?: () => boolean } = {}): void => {
    const { account = `${source} john`, isGone = () => false } = options;
    const work = (): Promise<true> =>
      new Promise((end) => {
        begun.push(source);
        const entry = {
          source,
          end: () => {
            atWork.splice(atWork.indexOf(entry), 1);
            end(true);
          },
        };
        atWork.push(entry);
      });
    void slots.run({ source, account, isGone }, work).then((result) => {
      if (result === undefined) turnedAway.push(source);
    });
  };
  /** Ends what is being worked on, once or as often as there is something. */
  const endOne = async (): Promise<void> => {
    atWork[0]?.end();
    for (let turns = 0; turns < 3; turns += 1) await turn();
  };
  const endAll = async (): Promise<void> => {
    while (atWork.length > 0) await endOne();
  };
  const pass = (ms: number): void => {
    now += ms;
  };
  return { slots, atWork, begun, turnedAway, apply, endOne, endAll, pass };
};

const apart = (n: number): string => `10.${n % 250}.${Math.floor(n / 250)}.1`;

describe("the slots for hashes", () => {
  it("are two at most, one on a single core, and strangers leave a core to calls", async () => {
    const { atWork, apply, endAll, begun } = bench();
    for (let n = 0; n < 100; n += 1) apply(apart(n));
    let most = atWork.length;
    while (atWork.length > 0) {
      most = Math.max(most, atWork.length);
      atWork[0]?.end();
      await turn();
    }
    await endAll();
    assert.equal(most, Math.min(MOST_AT_ONCE, Math.max(1, availableParallelism() - 1)));
    assert.equal(begun.length, 100, "everybody who waited had a turn");
  });

  it("hold a queue of 128: of many strangers from one network, some are turned away, and nobody else", async () => {
    const { apply, turnedAway, begun, endAll } = bench();
    for (let n = 0; n < 300; n += 1) apply(`10.1.${n % 4}.${n}`);
    for (let n = 0; n < 20; n += 1) apply(`10.${2 + n}.0.1`);
    await turn();
    assert.ok(turnedAway.length >= 320 - QUEUE - MOST_AT_ONCE, `${turnedAway.length} turned away`);
    assert.ok(turnedAway.every((source) => source.startsWith("10.1.")));
    await endAll();
    for (let n = 0; n < 20; n += 1) assert.ok(begun.includes(`10.${2 + n}.0.1`));
  });

  it("go first to whose networks asked least lately, by address, by network and by the network around it", async () => {
    for (const [crowd, quiet] of [
      [() => "10.1.1.1", "10.1.1.2"],
      [(n: number) => `10.1.1.${n}`, "10.1.2.200"],
      [(n: number) => `10.1.${n}.1`, "10.2.200.1"],
      [() => "2001:db8:1:200::/64", "2001:db8:1:201::/64"],
      [(n: number) => `2001:db8:1:2${n.toString(16).padStart(2, "0")}::/64`, "2001:db8:1:301::/64"],
      [(n: number) => `2001:db8:1:${(n * 256).toString(16)}::/64`, "2001:db8:2:ff00::/64"],
    ] as const) {
      const { apply, begun, endOne, endAll } = bench();
      for (let n = 0; n < 60; n += 1) apply(crowd(n), { account: `${n}` });
      const before = begun.length;
      apply(quiet);
      await endOne();
      assert.equal(begun[before], quiet);
      await endAll();
      assert.equal(begun.length, 61, "the others have their turn, too");
    }
  });

  it("go to sources with a good login before any stranger, however many there are", async () => {
    const { slots, apply, begun, turnedAway, endOne, endAll } = bench();
    slots.noteGoodLogin("10.9.9.9", "cl-john");
    for (let n = 0; n < 500; n += 1) apply(apart(n));
    // It asked often itself.
    for (let n = 0; n < 20; n += 1) apply("10.9.9.9", { account: `${n}` });
    await turn();
    assert.ok(!turnedAway.includes("10.9.9.9"));
    const before = begun.length;
    for (let n = 0; n < 8; n += 1) await endOne();
    const next = begun.slice(before);
    assert.ok(next.filter((source) => source === "10.9.9.9").length >= 5, next.join(" "));
    await endAll();
    assert.equal(begun.filter((source) => source === "10.9.9.9").length, 20);
  });

  it("go to a stranger every fourth time, so that no crowd of known sources keeps newcomers out", async () => {
    const { slots, apply, begun, endOne } = bench();
    for (let n = 0; n < 50; n += 1) {
      slots.noteGoodLogin(apart(n), `cl-${n}`);
      apply(apart(n));
    }
    apply("203.0.113.7");
    for (let n = 0; n < 6; n += 1) await endOne();
    assert.ok(begun.includes("203.0.113.7"));
  });

  it("go to one attempt at a time of an account and source", async () => {
    const { slots, apply, atWork, endAll, begun } = bench();
    slots.noteGoodLogin("10.0.0.1", "cl-john");
    for (let n = 0; n < 5; n += 1) apply("10.0.0.1", { account: "john" });
    assert.equal(atWork.length, 1);
    await endAll();
    assert.equal(begun.length, 5);
  });

  it("go to nobody who has left or waited for five seconds", async () => {
    const { apply, begun, turnedAway, endAll, endOne, pass } = bench();
    for (let n = 0; n < MOST_AT_ONCE; n += 1) apply(apart(n));
    let gone = false;
    apply("10.0.99.1", { isGone: () => gone });
    gone = true;
    await endAll();
    assert.deepEqual(turnedAway, ["10.0.99.1"]);
    apply("10.0.99.2");
    apply("10.0.99.3");
    apply("10.0.99.4");
    pass(5_001);
    await endOne();
    assert.ok(turnedAway.includes("10.0.99.4") && !begun.includes("10.0.99.4"));
  });

  it("are free again behind work that failed", async () => {
    const { slots, apply, begun, endAll } = bench();
    const failing = { source: "10.0.0.1", account: "x", isGone: () => false };
    await assert.rejects(
      slots.run(failing, () => Promise.reject(new Error("no"))),
      /no/,
    );
    apply("10.0.0.2");
    assert.deepEqual(begun, ["10.0.0.2"]);
    await endAll();
  });
});

describe("what is remembered of sources", () => {
  it("is of bounded size, and nobody with one credential pushes others out", () => {
    const known = new KnownSources();
    known.note("192.0.2.1", "cl-jane", 0);
    for (let n = 0; n < 20_000; n += 1) known.note(`198.51.${n >> 8}.${n & 255}`, "cl-mallory", n);
    assert.equal(known.size, 33, "32 of one client");
    assert.ok(known.has("192.0.2.1", 20_000));
    for (let n = 0; n < 20_000; n += 1) known.note(`203.0.${n >> 8}.${n & 255}`, `cl-${n}`, n);
    assert.equal(known.size, 8_192);
  });

  it("ends after a day without a good login", () => {
    const known = new KnownSources();
    known.note("192.0.2.1", "cl-jane", 0);
    assert.ok(known.has("192.0.2.1", 86_399_999));
    assert.ok(!known.has("192.0.2.1", 86_400_000));
    known.note("192.0.2.1", "cl-john", 86_400_000);
    assert.ok(known.has("192.0.2.1", 100_000_000));
  });

  it("counts less with every minute", () => {
    const recent = new RecentLogins();
    let cells: readonly number[] = [];
    for (let n = 0; n < 64; n += 1) cells = recent.note("192.0.2.1", 0);
    assert.equal(recent.demandOf(cells), 65 ** 3);
    const other = recent.note("198.51.100.1", 0);
    assert.equal(recent.demandOf(other), 8);
    recent.note("203.0.113.1", 360_000);
    assert.equal(recent.demandOf(cells), 2 ** 3, "64 after six minutes are one");
  });

  it("goes by the networks that providers hand out", () => {
    assert.deepEqual(networksOf("192.0.2.7"), ["192.0/16", "192.0.2/24", "192.0.2.7"]);
    assert.deepEqual(networksOf("2001:db8:1:2ff::/64"), ["2001:db8:1/48", "2001:db8:1:2/56", "2001:db8:1:2ff::/64"]);
    assert.deepEqual(networksOf("2001:db8:0:7::/64"), ["2001:db8:0/48", "2001:db8:0:0/56", "2001:db8:0:7::/64"]);
    assert.equal(networksOf("").length, 3, "whoever has left");
  });
});
