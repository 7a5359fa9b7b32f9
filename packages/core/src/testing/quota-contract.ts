import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isStoreFault } from "../errors.ts";
import { EMPTY_RECORD, type QuotaRecord } from "../quotas/quota-record.ts";
import type { WithStore } from "./store-contract.ts";

const DAY_MS = 86_400_000;

const recordOf = (amount: number, end: number, at = end): QuotaRecord => ({
  used: { "requests 2026-11-25": [amount, end] },
  holders: { i_1: { seq: 1, at, held: { "input_tokens+output_tokens 2026-11": [8_000_000_000_000_000, end] } } },
});

export const quotaContract = (withStore: WithStore): void => {
  describe("quota records", () => {
    it(
      "are written by compare-and-set, each client's on its own",
      withStore(async ({ one, two }) => {
        const end = one.traffic.steadyNow() + DAY_MS;
        assert.equal(await one.traffic.quotaRecord("c_1"), undefined);
        assert.equal(await one.traffic.setQuotaRecord("c_1", 0, recordOf(1, end)), true);
        assert.equal(await two.traffic.setQuotaRecord("c_1", 0, EMPTY_RECORD), false);
        const found = await two.traffic.quotaRecord("c_1");
        assert.deepEqual(found?.record, recordOf(1, end));
        const version = found?.version ?? 0;
        assert.equal(await two.traffic.setQuotaRecord("c_1", version, recordOf(2, end)), true);
        assert.equal(await one.traffic.setQuotaRecord("c_1", version, EMPTY_RECORD), false);
        assert.equal(await one.traffic.setQuotaRecord("c_2", version, EMPTY_RECORD), false);
        assert.deepEqual(await one.traffic.quotaRecord("c_1"), { version: version + 1, record: recordOf(2, end) });
        assert.equal(await one.traffic.quotaRecord("c_2"), undefined);
        // The permits of the same name are others.
        assert.equal(await one.traffic.permitWindow("c_1"), undefined);
      }),
    );

    it(
      "lose no count when many write at once",
      withStore(async ({ one, two }) => {
        const end = one.traffic.steadyNow() + DAY_MS;
        const add = async ({ traffic }: typeof one, who: string): Promise<void> => {
          for (let done = 0; done < 25; ) {
            const { version, record } = (await traffic.quotaRecord("c_1")) ?? { version: 0, record: EMPTY_RECORD };
            if (record.used[who]?.[0] === done + 1) done += 1;
            else {
              const next = { ...record, used: { ...record.used, [who]: [done + 1, end] as const } };
              // One that was not confirmed in time may be in all the same.
              await Promise.resolve(traffic.setQuotaRecord("c_1", version, next)).catch((error: unknown) => {
                if (!isStoreFault(error)) throw error;
              });
            }
          }
        };
        await Promise.all([add(one, "a"), add(two, "b"), add(one, "c"), add(two, "d")]);
        const counts = Object.entries((await two.traffic.quotaRecord("c_1"))?.record.used ?? {});
        assert.deepEqual(
          counts.toSorted(),
          ["a", "b", "c", "d"].map((who) => [who, [25, end]]),
        );
      }),
    );

    it(
      "are dropped when nothing in them matters any more, and only then; a version from before is refused",
      withStore(async ({ one, two, clock }) => {
        const now = one.traffic.steadyNow();
        await one.traffic.setQuotaRecord("old", 0, recordOf(1, now));
        await one.traffic.setQuotaRecord("used", 0, { used: { "pages 2026-12": [1, now + 40 * DAY_MS] }, holders: {} });
        const remembered = (await one.traffic.quotaRecord("old"))?.version ?? 0;
        clock.advance(6 * DAY_MS);
        await one.traffic.pruneQuotaRecords(one.traffic.steadyNow());
        assert.ok(await two.traffic.quotaRecord("old"));
        clock.advance(2 * DAY_MS);
        await two.traffic.pruneQuotaRecords(two.traffic.steadyNow());
        assert.equal(await one.traffic.quotaRecord("old"), undefined);
        assert.ok(await one.traffic.quotaRecord("used"));
        assert.equal(await one.traffic.setQuotaRecord("old", remembered, EMPTY_RECORD), false);
        const fresh = recordOf(5, two.traffic.steadyNow());
        assert.equal(await two.traffic.setQuotaRecord("old", 0, fresh), true);
        assert.equal(await one.traffic.setQuotaRecord("old", remembered, EMPTY_RECORD), false);
        assert.deepEqual((await one.traffic.quotaRecord("old"))?.record, fresh);
      }),
    );
  });
};
