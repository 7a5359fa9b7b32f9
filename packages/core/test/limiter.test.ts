import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { initHome, LIMIT_WINDOW_MS, Limiter, openHome, type Permit, type Store } from "@aigw/core";
import { FixedClock } from "@aigw/core/testing";
import fc from "fast-check";
import { AigwError } from "../src/errors.ts";

const clock = new FixedClock();
let folder = "";
let store: Store;
let keys = 0;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "aigw-limiter-"));
  const home = join(folder, "home");
  await initHome({ home, at: clock.now(), actor: "test" });
  ({ store } = await openHome({ home, clock }));
});
after(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const limiter = (holder: string, bundles = true): Limiter =>
  new Limiter({ store: store.traffic, holder, windowMs: LIMIT_WINDOW_MS, bundles });
const newKey = (): string => {
  keys += 1;
  return `key-${keys}`;
};
const countIn = (times: readonly number[], from: number): number =>
  times.filter((at) => at > from - LIMIT_WINDOW_MS && at <= from).length;

/** Random calls over random times by three instances: who was admitted when, and whether a refusal was right. */
const play = (limit: number) =>
  fc.asyncProperty(
    fc.array(
      fc.record({
        holder: fc.nat(2),
        burst: fc.integer({ min: 1, max: 40 }),
        pause: fc.oneof(fc.nat(2_000), fc.nat(70_000)),
      }),
      { minLength: 5, maxLength: 40 },
    ),
    async (steps) => {
      const key = newKey();
      const holders = ["a", "b", "c"].map((holder) => limiter(holder));
      const admitted: number[] = [];
      for (const { holder, burst, pause } of steps) {
        clock.advance(pause);
        for (let i = 0; i < burst; i += 1) {
          const now = clock.monotonic();
          const used = countIn(admitted, now);
          const permit = (await holders[holder]?.acquire(key, limit)) as Permit;
          if (permit.admitted) {
            admitted.push(now);
            assert.ok(used < limit, `${used + 1} of ${limit} in one window`);
          } else if (limit <= 120) {
            assert.equal(used, limit, "refused too early");
            assert.ok(permit.resetMs > 0 && permit.resetMs <= LIMIT_WINDOW_MS, `reset ${permit.resetMs}`);
          }
          if (limit <= 120 && permit.admitted) assert.equal(permit.remaining, limit - used - 1);
        }
      }
    },
  );

describe("limiter", () => {
  it("with permits one by one is exact: never one too many, never one too few, over three instances", async () => {
    await fc.assert(play(7), { numRuns: 60 });
    await fc.assert(play(60), { numRuns: 30 });
  });

  it("with bundles is never exceeded", async () => {
    await fc.assert(play(180), { numRuns: 60 });
  });

  it("with bundles admits all of the limit to one instance, at once and again after the window", async () => {
    const [one, key] = [limiter("one"), newKey()];
    for (let round = 0; round < 3; round += 1) {
      let count = 0;
      for (let i = 0; i < 700; i += 1) if ((await one.acquire(key, 600)).admitted) count += 1;
      assert.equal(count, 600);
      clock.advance(LIMIT_WINDOW_MS);
    }
  });

  it("with bundles refuses nobody who stays below the limit, however calls fall on six instances", async () => {
    const calls = fc.array(fc.record({ holder: fc.nat(5), gap: fc.nat(600) }), { minLength: 400, maxLength: 400 });
    const stay = fc.asyncProperty(calls, async (steps) => {
      const key = newKey();
      const holders = ["a", "b", "c", "d", "e", "f"].map((holder) => limiter(holder));
      const admitted: number[] = [];
      for (const { holder, gap } of steps) {
        // As the gateway's own sweep does.
        for (let left = gap; left > 0; left -= 200) {
          clock.advance(Math.min(left, 200));
          for (const one of holders) await one.settle();
        }
        const now = clock.monotonic();
        // A bundle of ten may be lent to each of the others.
        if (countIn(admitted, now) >= 600 - 50) continue;
        assert.equal((await holders[holder]?.acquire(key, 600))?.admitted, true, `after ${countIn(admitted, now)}`);
        admitted.push(now);
      }
    });
    await fc.assert(stay, { numRuns: 3, endOnFailure: true });
  });

  it("gives the unused part of a bundle back when the instance closes", async () => {
    const [one, key] = [limiter("one"), newKey()];
    await one.acquire(key, 600);
    await one.close();
    assert.equal((await limiter("two").acquire(key, 600)).remaining, 598);
  });

  it("counts a dead instance's bundle in full, for one window from its end", async () => {
    const key = newKey();
    await limiter("dead").acquire(key, 600);
    const two = limiter("two");
    assert.equal((await two.acquire(key, 600)).remaining, 600 - 10 - 1);
    clock.advance(2_000 + LIMIT_WINDOW_MS);
    assert.equal((await two.acquire(key, 600)).remaining, 599);
  });

  it("refunds permits of a bundle, of the present one and of those before", async () => {
    const [one, key] = [limiter("one"), newKey()];
    const permits: Permit[] = [];
    for (let i = 0; i < 50; i += 1) {
      clock.advance(7);
      permits.push(await one.acquire(key, 1_200));
    }
    assert.equal((await limiter("other").peek(key, 1_200)).remaining, 1_200 - 60);
    for (const permit of permits) await one.refund(key, permit);
    await one.close();
    assert.equal((await limiter("other").peek(key, 1_200)).remaining, 1_200);
  });

  it("refunds what did not count, also on another's view", async () => {
    const key = newKey();
    const [one, two] = [limiter("one", false), limiter("two", false)];
    const permits = [await one.acquire(key, 3), await one.acquire(key, 3)];
    assert.equal((await two.acquire(key, 3)).remaining, 0);
    await one.refund(key, permits[0] as Permit);
    assert.equal((await limiter("three", false).peek(key, 3)).remaining, 1);
    assert.equal((await one.acquire(key, 3)).admitted, true);
    assert.equal((await one.acquire(key, 3)).admitted, false);
  });

  it("refunds one that does not count any more without another's in its place", async () => {
    const key = newKey();
    const one = limiter("one");
    const first = await one.acquire(key, 3);
    clock.advance(10);
    await one.acquire(key, 3);
    await one.refund(key, first);
    await one.refund(key, first);
    assert.equal((await one.peek(key, 3)).remaining, 2);
  });

  it("counts on alone while the store is away, and writes it down afterwards", async () => {
    const key = newKey();
    let away = false;
    const flaky = {
      steadyNow: () => store.traffic.steadyNow(),
      permitWindow: (name: string) => fail() ?? store.traffic.permitWindow(name),
      setPermitWindow: (...args: Parameters<typeof store.traffic.setPermitWindow>) =>
        fail() ?? store.traffic.setPermitWindow(...args),
    };
    const fail = (): undefined => {
      if (away) throw new AigwError("store_locked", "locked");
      return undefined;
    };
    const one = new Limiter({ store: flaky, holder: "one", windowMs: LIMIT_WINDOW_MS, bundles: true });
    const take = async (count: number): Promise<number> => {
      let admitted = 0;
      for (let i = 0; i < count; i += 1) if ((await one.acquire(key, 10)).admitted) admitted += 1;
      return admitted;
    };
    assert.equal(await take(3), 3);
    away = true;
    assert.equal(await take(4), 4);
    away = false;
    clock.advance(1_500);
    assert.equal(await take(20), 3);
    assert.equal((await limiter("two").acquire(key, 10)).admitted, false, "all ten are in the store");
  });

  it("costs nothing to refuse: the store is not touched", async () => {
    const key = newKey();
    let calls = 0;
    const counting = {
      steadyNow: () => store.traffic.steadyNow(),
      permitWindow: (name: string) => {
        calls += 1;
        return store.traffic.permitWindow(name);
      },
      setPermitWindow: (...args: Parameters<typeof store.traffic.setPermitWindow>) => {
        calls += 1;
        return store.traffic.setPermitWindow(...args);
      },
    };
    const one = new Limiter({ store: counting, holder: "one", windowMs: LIMIT_WINDOW_MS, bundles: true });
    for (let i = 0; i < 5; i += 1) await one.acquire(key, 5);
    const before = calls;
    for (let i = 0; i < 1_000; i += 1) assert.equal((await one.acquire(key, 5)).admitted, false);
    assert.equal(calls, before);
  });
});
