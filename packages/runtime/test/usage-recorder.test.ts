import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { initHome, openHome, type Store, systemClock } from "@aigw/core";
import { anEvent, HostileStore } from "@aigw/core/testing";
import { UsageSealer, usageMac, verifyUsage } from "@aigw/core/usage";
import { UsageRecorder } from "../src/metering/usage-recorder.ts";

/** The promise: what a kill may cost. */
const LOST_AT_MOST_MS = 200;
/** The promise: what is held while the store takes nothing. */
const HELD_AT_MOST = 10_000;

describe("usage", () => {
  let folder = "";
  let store: Store;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "aigw-recorder-"));
    const home = join(folder, "home");
    await initHome({ home, at: Date.now(), actor: "test" });
    ({ store } = await openHome({ home, clock: systemClock }));
  });
  after(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const recorderOn = (t: TestContext, hostile: HostileStore, sealer?: UsageSealer): UsageRecorder => {
    const quiet = { onFault: () => undefined, onRecovered: () => undefined };
    const recorder = new UsageRecorder({ traffic: hostile.traffic, sealer, ...quiet });
    // Also when the test fails: its timer would keep this process alive.
    t.after(() => {
      hostile.calm();
      return recorder.close();
    });
    recorder.start();
    return recorder;
  };

  it("is stored before a kill may cost it", async (t) => {
    const hostile = new HostileStore(store);
    const recorder = recorderOn(t, hostile);
    let quickest = Number.POSITIVE_INFINITY;
    // The quickest of them, because a busy machine may keep this process from running for as long.
    for (let round = 0; round < 8; round += 1) {
      const [calls, start] = [hostile.calls("traffic.recordUsage"), performance.now()];
      recorder.record(anEvent());
      while (hostile.calls("traffic.recordUsage") === calls && performance.now() - start < 2_000) await delay(2);
      quickest = Math.min(quickest, performance.now() - start);
    }
    assert.equal(await recorder.close(), 0);
    assert.ok(quickest < LOST_AT_MOST_MS, `${quickest} ms`);
  });

  it("is held while the store takes none, up to a bound; what is beyond is counted", async (t) => {
    const hostile = new HostileStore(store);
    const recorder = recorderOn(t, hostile);
    const client = "while-away";
    hostile.treat("traffic.recordUsage", { kind: "throws" });
    for (let n = 0; n < HELD_AT_MOST + 500; n += 1) recorder.record(anEvent({ client }));
    assert.deepEqual([recorder.held, recorder.dropped], [HELD_AT_MOST, 500]);
    hostile.calm();
    assert.equal(await recorder.close(), 500);
    const { events } = await store.traffic.latestUsage({ client }, HELD_AT_MOST + 500);
    assert.equal(events.length, HELD_AT_MOST);
  });

  it("is sealed without a gap, whatever the store does with a batch, and says what was dropped", async (t) => {
    const own = join(folder, "sealed");
    await initHome({ home: own, at: Date.now(), actor: "test" });
    const { store: sealedStore, sealer } = await openHome({ home: own, clock: systemClock });
    t.after(() => sealedStore.close());
    const mac = usageMac(sealer, sealedStore.control.storeId);
    const hostile = new HostileStore(sealedStore);
    const recorder = recorderOn(t, hostile, new UsageSealer(mac));
    let number = 0;
    const record = (events: number): void => {
      for (let n = 0; n < events; n += 1) {
        number += 1;
        recorder.record(anEvent({ id: `gw-a.${number.toString(36)}`, at: Date.now() }));
      }
    };
    record(700);
    await recorder.flush();
    // Tried again and again, and more gathers behind what was sealed.
    for (const kind of ["throws", "twice"] as const) {
      hostile.treat("traffic.recordUsage", { kind });
      record(30);
      await recorder.flush();
      record(650);
      await recorder.flush();
    }
    hostile.treat("traffic.recordUsage", { kind: "throws" });
    record(HELD_AT_MOST + 500);
    hostile.calm();
    record(20);
    await recorder.flush();
    record(20);
    const dropped = await recorder.close();
    assert.ok(dropped >= 500);
    const proof = await verifyUsage({ traffic: sealedStore.traffic, mac, since: 0, until: Date.now() + 1 });
    assert.deepEqual(proof.problems, []);
    assert.deepEqual([proof.events, proof.dropped], [number - dropped, dropped]);
  });
});
