import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EMPTY_WINDOW, type PermitWindow } from "../limits/permit-window.ts";
import type { WithStore } from "./store-contract.ts";

const windowAt = (at: number): PermitWindow => ({ spent: [[at, 1]], leases: [] });
/** Longer than any window the limiter uses. */
const LONG_AFTER_MS = 3_600_000;

export const permitContract = (withStore: WithStore): void => {
  describe("permit windows", () => {
    it(
      "are written by compare-and-set",
      withStore(async ({ one, two }) => {
        const now = one.traffic.steadyNow();
        assert.equal(await one.traffic.permitWindow("k"), undefined);
        assert.equal(await one.traffic.setPermitWindow("k", 0, windowAt(now)), true);
        assert.equal(await two.traffic.setPermitWindow("k", 0, EMPTY_WINDOW), false);
        const found = await two.traffic.permitWindow("k");
        assert.deepEqual(found?.window, windowAt(now));
        const version = found?.version ?? 0;
        const next: PermitWindow = { spent: [], leases: [{ holder: "i_1", count: 5, until: now + 2_000 }] };
        assert.equal(await two.traffic.setPermitWindow("k", version, next), true);
        assert.equal(await one.traffic.setPermitWindow("k", version, EMPTY_WINDOW), false);
        assert.equal(await one.traffic.setPermitWindow("k", version + 1, next), true);
        assert.deepEqual(await two.traffic.permitWindow("k"), { version: version + 2, window: next });
        assert.equal(await one.traffic.setPermitWindow("other", version, next), false);
      }),
    );

    it(
      "let exactly one of many writers win each version",
      withStore(async ({ one, two }) => {
        let wins = 0;
        const writer = async (store: typeof one): Promise<void> => {
          for (let round = 0; round < 50; round += 1) {
            const found = await store.traffic.permitWindow("k");
            const spent = found?.window.spent ?? [];
            const next: PermitWindow = { spent: [...spent, [round, 1]], leases: [] };
            if (await store.traffic.setPermitWindow("k", found?.version ?? 0, next)) wins += 1;
          }
        };
        await Promise.all([writer(one), writer(two), writer(one), writer(two)]);
        const found = await one.traffic.permitWindow("k");
        assert.equal(found?.window.spent.length, wins);
        assert.ok(wins >= 50);
      }),
    );

    it(
      "are dropped when nothing counts in them, and only then",
      withStore(async ({ one, two, clock }) => {
        const start = one.traffic.steadyNow();
        await one.traffic.setPermitWindow("old", 0, windowAt(start));
        await one.traffic.setPermitWindow("leased", 0, {
          spent: [],
          leases: [{ holder: "i", count: 1, until: start + 2_000 }],
        });
        await one.traffic.prunePermitWindows(one.traffic.steadyNow());
        assert.ok(await two.traffic.permitWindow("old"));
        assert.ok(await two.traffic.permitWindow("leased"));
        clock.advance(LONG_AFTER_MS);
        await two.traffic.setPermitWindow("new", 0, windowAt(two.traffic.steadyNow()));
        await two.traffic.prunePermitWindows(two.traffic.steadyNow());
        assert.equal(await one.traffic.permitWindow("old"), undefined);
        assert.equal(await one.traffic.permitWindow("leased"), undefined);
        assert.ok(await one.traffic.permitWindow("new"));
      }),
    );

    it(
      "refuse a version remembered from before they were dropped",
      withStore(async ({ one, two, clock }) => {
        await one.traffic.setPermitWindow("k", 0, windowAt(one.traffic.steadyNow()));
        const remembered = (await one.traffic.permitWindow("k"))?.version ?? 0;
        clock.advance(LONG_AFTER_MS);
        await two.traffic.prunePermitWindows(two.traffic.steadyNow());
        assert.equal(await one.traffic.setPermitWindow("k", remembered, EMPTY_WINDOW), false);
        const fresh = windowAt(two.traffic.steadyNow());
        assert.equal(await two.traffic.setPermitWindow("k", 0, fresh), true);
        for (const stale of [remembered, 1, 2]) {
          const version = (await two.traffic.permitWindow("k"))?.version;
          if (stale !== version) assert.equal(await one.traffic.setPermitWindow("k", stale, EMPTY_WINDOW), false);
        }
        assert.notEqual((await two.traffic.permitWindow("k"))?.version, remembered);
        assert.deepEqual((await one.traffic.permitWindow("k"))?.window, fresh);
      }),
    );
  });

  describe("steady time", () => {
    it(
      "is the same for all handles and unmoved by setting the clock",
      withStore(async ({ one, two, clock }) => {
        const start = one.traffic.steadyNow();
        assert.equal(two.traffic.steadyNow(), start);
        clock.advance(1_500);
        clock.setWall(clock.now() + 3_600_000);
        assert.equal(one.traffic.steadyNow(), start + 1_500);
        clock.setWall(clock.now() - 7_200_000);
        assert.equal(two.traffic.steadyNow(), start + 1_500);
      }),
    );
  });
};
