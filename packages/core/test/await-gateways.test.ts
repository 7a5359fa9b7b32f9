import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { awaitGateways } from "../src/acts/await-gateways.ts";
import type { Instance } from "../src/store/store.ts";
import { anInstance } from "../src/testing/index.ts";
import { sqliteFixture } from "./store-support/sqlite-fixture.ts";

/** Longer than two heartbeats, and not yet gone. */
const SILENT_MS = 3_000;

/** @returns the ids that a receipt names, when `dead` fell silent and `alive` came after it */
const receiptOf = async (dead: Partial<Instance>, alive: Partial<Instance>): Promise<readonly string[]> => {
  const { open, clock } = sqliteFixture();
  const [store, killed] = [open(), open()];
  const { startedAt } = anInstance();
  killed.traffic.reportInstance(anInstance({ ...dead, id: "dead", startedAt }));
  await killed.close();
  clock.advance(SILENT_MS);
  store.traffic.reportInstance(anInstance({ startedAt: startedAt + 1, ...alive, id: "alive" }));
  const { gateways } = await awaitGateways({ store, clock }, 1, 0);
  await store.close();
  return gateways.map(({ id }) => id);
};

describe("a receipt", () => {
  const here = { hostname: "one", address: "http://0.0.0.0:8080" };

  it("does not wait for a dead gateway whose place is taken", async () => {
    assert.deepEqual(await receiptOf(here, here), ["alive"]);
    assert.deepEqual(await receiptOf({ ...here, worker: 2 }, { ...here, worker: 2 }), ["alive"]);
    assert.deepEqual(await receiptOf({}, {}), ["alive"], "records without a machine");
  });

  it("does not wait for the workers of a gateway that runs as one process now, nor the other way round", async () => {
    assert.deepEqual(await receiptOf({ ...here, worker: 2 }, here), ["alive"]);
    assert.deepEqual(await receiptOf(here, { ...here, worker: 1 }), ["alive"]);
  });

  it("goes by who was seen last, not by clocks: one that started after the clock was set back came later", async () => {
    assert.deepEqual(await receiptOf(here, { ...here, startedAt: anInstance().startedAt - 7_200_000 }), ["alive"]);
  });

  it("waits for another worker, another machine, another address", async () => {
    const both = ["alive", "dead"];
    assert.deepEqual((await receiptOf({ ...here, worker: 1 }, { ...here, worker: 2 })).toSorted(), both);
    assert.deepEqual((await receiptOf(here, { ...here, hostname: "two" })).toSorted(), both);
    assert.deepEqual((await receiptOf(here, { ...here, address: "http://0.0.0.0:8081" })).toSorted(), both);
  });

  it("waits for one that runs and does not report, however long that is, also where another took its address", async () => {
    const { open, clock } = sqliteFixture();
    const [silent, store] = [open(), open()];
    const { startedAt } = anInstance();
    silent.traffic.reportInstance(anInstance({ ...here, id: "silent", startedAt }));
    clock.advance(600_000);
    store.traffic.reportInstance(anInstance({ ...here, id: "other", startedAt: startedAt + 1, appliedRev: 1 }));
    const { gateways, complete } = await awaitGateways({ store, clock }, 1, 0);
    assert.equal(complete, false);
    assert.deepEqual(
      gateways.map(({ id, appliedAfterMs, lastSeenAgoMs }) => [id, appliedAfterMs, lastSeenAgoMs]),
      [
        ["other", 0, 0],
        ["silent", undefined, 600_000],
      ],
    );
    await silent.close();
    assert.equal((await awaitGateways({ store, clock }, 1, 0)).complete, true, "until it ends");
    await store.close();
  });

  it("names the worker", async () => {
    const { open, clock } = sqliteFixture();
    const store = open();
    store.traffic.reportInstance(anInstance({ ...here, id: "w", worker: 3, appliedRev: 1 }));
    const { gateways, complete } = await awaitGateways({ store, clock }, 1, 0);
    await store.close();
    assert.equal(complete, true);
    assert.deepEqual(gateways, [{ id: "w", address: here.address, worker: 3, lastSeenAgoMs: 0, appliedAfterMs: 0 }]);
  });
});
