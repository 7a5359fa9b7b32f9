import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it, mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { initHome, LIMIT_WINDOW_MS, Limiter, type MaybePromise, openHome, type Permit, type Store } from "@aigw/core";
import { FixedClock, HostileStore, type Treatment } from "@aigw/core/testing";
import fc from "fast-check";

const clock = new FixedClock();
let folder = "";
let real: Store;
let store: HostileStore;
let keys = 0;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "aigw-limiter-"));
  const home = join(folder, "home");
  await initHome({ home, at: clock.now(), actor: "test" });
  ({ store: real } = await openHome({ home, clock }));
});
after(async () => {
  await real.close();
  rmSync(folder, { recursive: true, force: true });
});
// The limiter's patience costs the tests no time. It is the only one who waits by the global timer.
beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  store = new HostileStore(real);
});
afterEach(() => mock.timers.reset());

const limiter = (holder: string, traffic = store.traffic): Limiter =>
  new Limiter({ store: traffic, holder, windowMs: LIMIT_WINDOW_MS, bundles: true });
const newKey = (): string => {
  keys += 1;
  return `key-${keys}`;
};
const WRITES = ["traffic.setPermitWindow"] as const;
const BOTH = ["traffic.permitWindow", "traffic.setPermitWindow"] as const;

/** What it comes to, and how long it would have waited. */
const settled = async <T>(value: MaybePromise<T>): Promise<{ value: T; waitedMs: number }> => {
  let result: { value: T } | undefined;
  const answered = Promise.resolve(value).then((answer) => {
    result = { value: answer };
  });
  for (let waitedMs = 0; waitedMs <= 2_000; waitedMs += 50) {
    for (let turns = 0; turns < 10; turns += 1) {
      await turn();
      if (result === undefined) continue;
      await answered;
      return { ...result, waitedMs };
    }
    mock.timers.tick(50);
  }
  throw new Error("never answered");
};
const take = async (one: Limiter, key: string, limit: number, count: number): Promise<number> => {
  let admitted = 0;
  for (let i = 0; i < count; i += 1) {
    clock.advance(0.001);
    if ((await settled(one.acquire(key, limit))).value.admitted) admitted += 1;
  }
  return admitted;
};
const leftInStore = async (key: string, limit: number): Promise<number> =>
  ((await limiter(`reader ${key}`, real.traffic).peek(key, limit)) as Permit).remaining;

describe("limiter, on a store that does not answer", () => {
  for (const method of BOTH) {
    it(`waits 250 ms for ${method} once, then counts alone, and blocks no key`, async () => {
      const [one, key] = [limiter("one"), newKey()];
      store.treat(method, { kind: "never" });
      const first = await settled(one.acquire(key, 5));
      assert.ok(first.value.admitted && first.waitedMs <= 250, `${first.waitedMs} ms`);
      for (const other of [key, newKey()]) {
        const next = await settled(one.acquire(other, 5));
        assert.ok(next.value.admitted && next.waitedMs === 0, `${next.waitedMs} ms`);
      }
      const [queued, behind] = [newKey(), 5].map((name) => settled(one.acquire(String(name), 5)));
      assert.equal((await queued)?.value.admitted, true);
      assert.equal((await behind)?.value.admitted, true);
      assert.equal(await take(one, key, 5, 10), 3, "the limit holds meanwhile");
      store.calm();
      clock.advance(1_000);
      assert.equal(await take(one, key, 5, 10), 0);
      clock.advance(LIMIT_WINDOW_MS);
      assert.equal(await take(one, key, 5, 10), 5);
      assert.equal(await leftInStore(key, 5), 0);
    });
  }

  it("gives up at the end, whatever it holds", async () => {
    const one = limiter("one");
    for (let i = 0; i < 50; i += 1) await settled(one.acquire(newKey(), 600));
    store.treatAll({ kind: "never" });
    const { waitedMs } = await settled(one.close());
    assert.ok(waitedMs <= 250, `${waitedMs} ms`);
  });

  it("leaves no rejection behind that nobody handles", async () => {
    const [one, key] = [limiter("one"), newKey()];
    store.treat("traffic.setPermitWindow", { kind: "held" });
    await settled(one.acquire(key, 5));
    store.treat("traffic.setPermitWindow", { kind: "throws", later: 1 });
    clock.advance(1_000);
    await settled(one.acquire(key, 5));
    await real.traffic.setPermitWindow(key, 0, { spent: [], leases: [] });
    store.release();
    for (let turns = 0; turns < 20; turns += 1) await turn();
  });
});

describe("limiters that count alone", () => {
  const share = (rank: number) => ({ of: 3, rank });
  const three = (traffic: Store["traffic"]): readonly Limiter[] =>
    [0, 1, 2].map(
      (rank) =>
        new Limiter({
          store: traffic,
          holder: `gateway ${rank}`,
          windowMs: LIMIT_WINDOW_MS,
          bundles: true,
          share: () => share(rank),
        }),
    );
  const takeAll = async (all: readonly Limiter[], key: string, limit: number): Promise<number> => {
    let admitted = 0;
    for (const one of all) admitted += await take(one, key, limit, limit + 1);
    return admitted;
  };

  for (const limit of [2, 60, 61, 600]) {
    it(`admit ${limit} together while the store can be read and not written, whatever each had seen`, async () => {
      const [all, key] = [three(store.traffic), newKey()];
      // Only the first knows of it.
      const before = limit >= 60 ? await take(all[0] as Limiter, key, limit, 7) : 0;
      store.treat(WRITES, { kind: "throws" });
      const alone = await takeAll(all, key, limit);
      // A bundle of a large limit counts as spent while its holder cannot say what it did not use.
      if (limit <= 61) assert.equal(before + alone, limit);
      else assert.ok(before + alone <= limit && before + alone > limit - 3 * Math.ceil(limit / 60), `${alone}`);
      clock.advance(2_000);
      assert.equal(await takeAll(all, key, limit), 0, "nor later in the window");
      store.calm();
      clock.advance(2_000);
      await takeAll(all, key, limit);
      // A bundle of a large limit counts as spent at its end, 2 s after it was taken.
      clock.advance(LIMIT_WINDOW_MS + 2_000);
      assert.equal(await takeAll(all, key, limit), limit, "the next window is whole");
    });
  }

  // As a primary does that was just elected: the other members do not follow it yet.
  for (const kind of ["never", "unanswered"] as const) {
    it(`admit 60 together while writes are ${kind} and reads are not, also of clients of whom one knows`, async () => {
      for (const looked of [false, true]) {
        const [all, key] = [three(store.traffic), newKey()];
        if (looked) for (const one of all) await settled(one.peek(key, 60));
        const before = await take(all[0] as Limiter, key, 60, 30);
        store.treat(BOTH, { kind: "promise" });
        store.treat(WRITES, { kind });
        // Somebody else's call has found it out.
        for (const one of all) assert.ok((await settled(one.acquire(newKey(), 60))).waitedMs <= 250);
        const alone = await takeAll(all, key, 60);
        assert.equal(before + alone, 60);
        clock.advance(1_001);
        assert.equal(await takeAll(all, key, 60), 0, "nor when it is asked again");
        store.calm();
        clock.advance(2_000);
        assert.equal(await takeAll(all, key, 60), 0);
        clock.advance(LIMIT_WINDOW_MS);
        assert.equal(await takeAll(all, key, 60), 60, "the next window is whole");
      }
    });
  }

  it("read what others have taken as soon as that can be read", async () => {
    const [all, key] = [three(store.traffic), newKey()];
    const [first, second] = all as [Limiter, Limiter, Limiter];
    assert.equal(await take(first, key, 60, 60), 60);
    store.treat(BOTH, { kind: "never" });
    assert.equal(await take(second, key, 60, 5), 5, "of what it cannot know");
    const reads = store.calls("traffic.permitWindow");
    assert.equal(await take(second, key, 60, 5), 5);
    assert.equal(store.calls("traffic.permitWindow"), reads, "and does not ask for each");
    store.calm();
    store.treat(WRITES, { kind: "throws" });
    clock.advance(1_001);
    await settled(second.acquire(newKey(), 60));
    assert.equal(await take(second, key, 60, 5), 0);
  });

  it("forget nothing for what a server says that is behind", async () => {
    const [all, key] = [three(store.traffic), newKey()];
    const [first, second] = all as [Limiter, Limiter, Limiter];
    assert.equal((await take(first, key, 60, 1)) + (await take(second, key, 60, 1)), 2);
    const behind = await real.traffic.permitWindow(key);
    assert.equal((await take(first, key, 60, 19)) + (await take(second, key, 60, 19)), 38);
    store.treat(WRITES, { kind: "throws" });
    store.treat("traffic.permitWindow", { kind: "instead", answer: () => behind });
    assert.equal(await take(second, key, 60, 60), 7, "its share of the 20 that are free");
  });

  it("admit fewer than twice the limit where it cannot be read either", async () => {
    const [all, key] = [three(store.traffic), newKey()];
    // The others looked before, and know nothing of it.
    for (const one of all) await settled(one.peek(key, 60));
    const before = await take(all[0] as Limiter, key, 60, 60);
    store.treat(BOTH, { kind: "throws" });
    const alone = await takeAll(all, key, 60);
    assert.deepEqual([before, alone], [60, 40]);
  });
});

describe("three limiters, whatever happens to their store", () => {
  const LIMIT = 12;
  const step = fc.record({
    at: fc.nat(2),
    burst: fc.integer({ min: 1, max: 8 }),
    pause: fc.oneof(fc.nat(1_500), fc.nat(20_000)),
    away: fc.boolean(),
  });
  /** @param methods what fails while the store is away, for all at once; @param most in any window */
  const hold = (methods: readonly (typeof BOTH)[number][], kinds: readonly Treatment["kind"][], most: number) =>
    fc.asyncProperty(
      fc.array(step, { minLength: 4, maxLength: 24 }),
      fc.constantFrom(...kinds),
      async (steps, kind) => {
        const key = newKey();
        store.calm();
        const all = [0, 1, 2].map(
          (rank) =>
            new Limiter({
              store: store.traffic,
              holder: `gateway ${rank}`,
              windowMs: LIMIT_WINDOW_MS,
              bundles: true,
              share: () => ({ of: 3, rank }),
            }),
        );
        const admitted: number[] = [];
        for (const { at, burst, pause, away } of steps) {
          store.calm();
          if (away) {
            store.treat(methods, { kind } as Treatment);
            // It is away for all, and each has somebody who finds it out.
            for (const one of all) await settled(one.acquire(newKey(), LIMIT));
          }
          for (let i = 0; i < burst; i += 1) {
            clock.advance(0.001);
            const { value } = await settled(all[at]?.acquire(key, LIMIT) as MaybePromise<Permit>);
            if (!value.admitted) continue;
            admitted.push(clock.monotonic());
            const used = admitted.filter((one) => one > clock.monotonic() - LIMIT_WINDOW_MS).length;
            assert.ok(used <= most, `${used} in a window`);
          }
          // As the gateway's own sweep does.
          for (let left = pause; left > 0; left -= 500) {
            clock.advance(Math.min(left, 500));
            for (const one of all) await settled(one.settle());
          }
        }
      },
    );

  it("admit no more than the limit while it can be read", async () => {
    await fc.assert(hold(WRITES, ["throws", "never", "unanswered"], LIMIT), { numRuns: 12 });
  });

  it("admit no more than twice the limit while it cannot", async () => {
    await fc.assert(hold(BOTH, ["throws", "never"], 2 * LIMIT), { numRuns: 12 });
  });
});

describe("limiter that is away for longer than another", () => {
  it("leaves what runs out meanwhile to it", async () => {
    const key = newKey();
    const one = (rank: number, traffic: Store["traffic"]): Limiter =>
      new Limiter({
        store: traffic,
        holder: `gateway ${rank}`,
        windowMs: LIMIT_WINDOW_MS,
        bundles: true,
        share: () => ({ of: 2, rank }),
      });
    const [there, away] = [one(0, real.traffic), one(1, store.traffic)];
    assert.equal((await take(there, key, 60, 30)) + (await take(away, key, 60, 31)), 60);
    // The window runs out in the second in which one of them has no store.
    clock.advance(LIMIT_WINDOW_MS - 10);
    store.treat(BOTH, { kind: "throws" });
    await settled(away.acquire(newKey(), 60));
    clock.advance(500);
    assert.equal(await take(there, key, 60, 60), 60);
    assert.equal(await take(away, key, 60, 60), 0);
    store.calm();
    clock.advance(LIMIT_WINDOW_MS + 5_000);
    assert.equal(await take(away, key, 60, 60), 60, "the next window is whole");
  });
});

describe("limiters whose store is back", () => {
  const three = (): readonly [Limiter, Limiter, Limiter] => {
    const one = (rank: number): Limiter =>
      new Limiter({
        store: store.traffic,
        holder: `gateway ${rank}`,
        windowMs: LIMIT_WINDOW_MS,
        bundles: true,
        share: () => ({ of: 3, rank }),
      });
    return [one(0), one(1), one(2)];
  };

  for (const limit of [60, 600]) {
    it(`admit no more than ${limit} together, whoever comes first, nor when a client calls at one of them only`, async () => {
      const [[first, second, third], key] = [three(), newKey()];
      const all = [first, second, third];
      store.treat(BOTH, { kind: "throws" });
      let admitted = 0;
      for (const one of all) admitted += await take(one, key, limit, limit);
      assert.equal(admitted, limit, "shares of the whole");
      store.calm();
      clock.advance(1_000);
      // It may not take what the others have admitted, and not written yet.
      assert.equal(await take(first, key, limit, limit), 0);
      for (const one of all) {
        // Somebody else's call has found out already that the store is back.
        await settled(one.acquire(newKey(), limit));
        await settled(one.settle());
      }
      assert.equal(await leftInStore(key, limit), 0, "written, though nobody calls there any more");
      clock.advance(4_000);
      for (const one of all) assert.equal(await take(one, key, limit, 5), 0);
      clock.advance(LIMIT_WINDOW_MS);
      // What was not used of a bundle another may miss for 2 s.
      assert.ok((await take(first, key, limit, limit)) >= limit - limit / 60, "the next window is whole");
    });
  }

  it("admit everything that is left once all have written theirs", async () => {
    const [[first, second], key] = [three(), newKey()];
    store.treat(BOTH, { kind: "throws" });
    assert.equal(await take(second, key, 60, 5), 5);
    await settled(first.acquire(newKey(), 60));
    store.calm();
    clock.advance(1_000);
    assert.equal(await take(first, key, 60, 60), 20, "its share, at first");
    await settled(second.settle());
    clock.advance(4_000);
    assert.equal(await take(first, key, 60, 60), 35);
  });
});

describe("limiter, on a store whose answers come late or never", () => {
  for (const limit of [10, 600]) {
    for (const kind of ["never", "unanswered"] as const) {
      it(`counts each permit of ${limit} once, when a write is ${kind}`, async () => {
        const [one, key] = [limiter("one"), newKey()];
        const part = Math.floor(limit * 0.3);
        assert.equal(await take(one, key, limit, part), part);
        store.treat(WRITES, { kind });
        for (let second = 0; second < 3; second += 1) {
          assert.equal(await take(one, key, limit, part / 3), part / 3);
          clock.advance(1_001);
        }
        store.calm();
        assert.equal(await take(one, key, limit, limit), limit - 2 * part, "not one more, not one fewer");
        assert.equal(await leftInStore(key, limit), 0);
      });
    }
  }

  it("counts a permit once that is stored after its time, before or after the next one", async () => {
    for (const when of ["before", "after"]) {
      const [one, key] = [limiter("one"), newKey()];
      assert.equal(await take(one, key, 10, 2), 2);
      store.treat(WRITES, { kind: "held" });
      assert.equal(await take(one, key, 10, 2), 2);
      store.calm();
      if (when === "before") store.release();
      clock.advance(1_001);
      assert.equal(await take(one, key, 10, 1), 1);
      if (when === "after") store.release();
      assert.equal(await take(one, key, 10, 10), 5, when);
      assert.equal(await leftInStore(key, 10), 0, when);
    }
  });

  it("counts a permit that was not stored beside one of the same moment that was", async () => {
    const [one, key] = [limiter("one"), newKey()];
    for (let i = 0; i < 3; i += 1) await settled(one.acquire(key, 10));
    store.treat(WRITES, { kind: "throws" });
    await settled(one.acquire(key, 10));
    store.calm();
    clock.advance(1_001);
    assert.equal(await take(one, key, 10, 10), 6);
    assert.equal(await leftInStore(key, 10), 0);
  });

  it("asks once for all who wait, on a store that takes its time", async () => {
    for (const [limit, kind] of [
      [20, "promise"],
      [300, "promise"],
      [20, "unanswered"],
    ] as const) {
      const [one, key, calls] = [limiter("one"), newKey(), store.calls("traffic.setPermitWindow")];
      store.treat(BOTH, { kind: "promise" });
      if (kind === "unanswered") store.treat(WRITES, { kind });
      const all = await settled(Promise.all(Array.from({ length: limit + 10 }, () => one.acquire(key, limit))));
      assert.equal(all.value.filter(({ admitted }) => admitted).length, limit, kind);
      assert.ok(store.calls("traffic.setPermitWindow") - calls <= 2);
      store.calm();
      assert.equal(await leftInStore(key, limit), 0, kind);
      clock.advance(LIMIT_WINDOW_MS + 1_001);
      assert.equal(await take(one, key, limit, limit + 10), limit, "the next window is whole");
    }
  });

  it("never admits one too many, and none too few, whatever the store does", async () => {
    const treatments: readonly Treatment[] = [
      { kind: "promise" },
      { kind: "never" },
      { kind: "unanswered" },
      { kind: "held" },
      { kind: "throws" },
      { kind: "throws", later: 0 },
    ];
    const step = fc.record({
      read: fc.constantFrom(undefined, ...treatments),
      write: fc.constantFrom(undefined, ...treatments),
      burst: fc.integer({ min: 1, max: 6 }),
      pause: fc.oneof(fc.nat(1_200), fc.nat(30_000)),
      release: fc.constantFrom(undefined, "first" as const, "last" as const),
    });
    const play = (limit: number) =>
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 16 }), async (steps) => {
        const [one, key] = [limiter("one"), newKey()];
        const admitted: number[] = [];
        const used = (): number => admitted.filter((at) => at > clock.monotonic() - LIMIT_WINDOW_MS).length;
        const call = async (): Promise<void> => {
          const before = used();
          const { value, waitedMs } = await settled(one.acquire(key, limit));
          // One read and one write at the most.
          assert.ok(waitedMs <= 500, `${waitedMs} ms`);
          assert.equal(value.admitted, before < limit, `${before} of ${limit} were used`);
          if (value.admitted) admitted.push(clock.monotonic());
        };
        for (const { read, write, burst, pause, release } of steps) {
          store.calm();
          if (read) store.treat("traffic.permitWindow", read);
          if (write) store.treat("traffic.setPermitWindow", write);
          for (let i = 0; i < burst; i += 1) await call();
          if (release) store.release(release);
          clock.advance(pause);
        }
        store.calm();
        clock.advance(1_001);
        await call();
        store.release("last");
        for (let turns = 0; turns < 3; turns += 1) await turn();
        // What was counted alone is written down with the next permit that is granted.
        if (used() < limit) await call();
        if (used() < limit) assert.equal(await leftInStore(key, limit), limit - used());
      });
    await fc.assert(play(7), { numRuns: 60 });
    await fc.assert(play(40), { numRuns: 20 });
  });

  it("admits none too many when writes are done twice: a compare-and-set that is repeated says no", async () => {
    const [one, key] = [limiter("one"), newKey()];
    store.treat(WRITES, { kind: "twice" });
    assert.ok((await take(one, key, 10, 20)) <= 10);
    clock.advance(LIMIT_WINDOW_MS);
    store.calm();
    assert.equal(await take(one, key, 10, 20), 10);
  });
});
