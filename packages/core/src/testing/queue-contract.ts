import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EMPTY_QUEUE, type QueueRecord } from "../queue/queue-record.ts";
import type { WithStore } from "./store-contract.ts";

const recordOf = (slots: number, until: number, holdMs = 12.5): QueueRecord => ({
  turn: slots / 3,
  ahead: { c_1: slots + 1 },
  holders: {
    "gw-1": { seq: slots, until, slots, given: { c_1: 1 }, waiting: { "c.$1": [1_000, until - 2.5, until, 3] } },
  },
  holdMs,
});

export const queueContract = (withStore: WithStore): void => {
  describe("records of queues", () => {
    it(
      "are written by compare-and-set, each service's on its own",
      withStore(async ({ one, two }) => {
        const until = one.traffic.steadyNow() + 4_000;
        assert.equal(await one.traffic.queueRecord("s_1"), undefined);
        assert.equal(await one.traffic.setQueueRecord("s_1", 0, recordOf(1, until)), true);
        assert.equal(await two.traffic.setQueueRecord("s_1", 0, EMPTY_QUEUE), false);
        const found = await two.traffic.queueRecord("s_1");
        assert.deepEqual(found?.record, recordOf(1, until));
        const version = found?.version ?? 0;
        assert.equal(await two.traffic.setQueueRecord("s_1", version, recordOf(2, until)), true);
        assert.equal(await one.traffic.setQueueRecord("s_1", version, EMPTY_QUEUE), false);
        assert.deepEqual(await one.traffic.queueRecord("s_1"), { version: version + 1, record: recordOf(2, until) });
        assert.equal(await one.traffic.queueRecord("s_2"), undefined);
        // What quotas have under the same name is another.
        assert.equal(await one.traffic.quotaRecord("s_1"), undefined);
      }),
    );

    it(
      "lose no slot when many write at once",
      withStore(async ({ one, two }) => {
        const until = one.traffic.steadyNow() + 4_000;
        const add = async (store: typeof one): Promise<void> => {
          for (let done = 0; done < 25; ) {
            const found = await store.traffic.queueRecord("s_1");
            const next = recordOf((found?.record.holders["gw-1"]?.slots ?? 0) + 1, until);
            if (await store.traffic.setQueueRecord("s_1", found?.version ?? 0, next)) done += 1;
          }
        };
        await Promise.all([add(one), add(two), add(one), add(two)]);
        assert.equal((await two.traffic.queueRecord("s_1"))?.record.holders["gw-1"]?.slots, 100);
      }),
    );

    it(
      "are dropped when no gateway says any more that it is there, a day later where they know how long a call takes; a version from before is refused",
      withStore(async ({ one, two, clock }) => {
        const now = one.traffic.steadyNow();
        await one.traffic.setQueueRecord("old", 0, recordOf(1, now + 1_000, 0));
        await one.traffic.setQueueRecord("known", 0, recordOf(1, now + 1_000));
        await one.traffic.setQueueRecord("used", 0, recordOf(1, now + 60_000));
        const remembered = (await one.traffic.queueRecord("old"))?.version ?? 0;
        await one.traffic.pruneQueueRecords(one.traffic.steadyNow());
        assert.ok(await two.traffic.queueRecord("old"));
        clock.advance(2_000);
        await two.traffic.pruneQueueRecords(two.traffic.steadyNow());
        assert.equal(await one.traffic.queueRecord("old"), undefined);
        assert.ok(await one.traffic.queueRecord("used"));
        assert.equal((await one.traffic.queueRecord("known"))?.record.holdMs, 12.5);
        assert.equal(await one.traffic.setQueueRecord("old", remembered, EMPTY_QUEUE), false);
        assert.equal(await two.traffic.setQueueRecord("old", 0, recordOf(5, now + 60_000)), true);
        assert.equal(await one.traffic.setQueueRecord("old", remembered, EMPTY_QUEUE), false);
        clock.advance(24 * 3_600_000);
        await two.traffic.pruneQueueRecords(two.traffic.steadyNow());
        assert.equal(await one.traffic.queueRecord("known"), undefined);
      }),
    );
  });
};
