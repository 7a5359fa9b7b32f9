import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it, mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { initHome, openHome, type Sealer, type Store, setSetting, systemClock } from "@aigw/core";
import { anEvent, HostileStore } from "@aigw/core/testing";
import { keepUsage } from "@aigw/core/usage";
import { ControlFollower } from "../src/follow/control-follower.ts";
import { UsageRecorder } from "../src/metering/usage-recorder.ts";

/** The store's parts that no request waits for, by a clock of the test: their patience is seconds. */

let folder = "";
let real: Store;
let sealer: Sealer;
let store: HostileStore;
let passed = 0;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "aigw-hostile-"));
  const home = join(folder, "home");
  await initHome({ home, at: Date.now(), actor: "test" });
  ({ store: real, sealer } = await openHome({ home, clock: systemClock }));
});
after(async () => {
  await real.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  store = new HostileStore(real);
  passed = 0;
  const now = performance.now.bind(performance);
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(performance, "now", () => now() + passed);
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

/** @returns what it came to and how much time went by, second by second */
const settled = async <T>(work: Promise<T>): Promise<{ value?: T; error?: unknown; tookMs: number }> => {
  const start = passed;
  let result: { value?: T; error?: unknown } | undefined;
  const done = work.then(
    (value) => {
      result = { value };
    },
    (error: unknown) => {
      result = { error };
    },
  );
  while (result === undefined && passed - start < 120_000) {
    for (let turns = 0; turns < 5 && result === undefined; turns += 1) await turn();
    if (result !== undefined) break;
    passed += 500;
    mock.timers.tick(500);
  }
  if (result === undefined) throw new Error("never ended");
  await done;
  return { ...(result as object), tookMs: passed - start };
};

describe("usage, with a store that never answers", () => {
  const recorder = (): { recorder: UsageRecorder; faults: unknown[] } => {
    const faults: unknown[] = [];
    const { traffic } = store;
    return { faults, recorder: new UsageRecorder({ traffic, onFault: (e) => faults.push(e), onRecovered: () => {} }) };
  };
  const stored = async (): Promise<number> =>
    (await real.traffic.usageReport({ by: [], filter: {} })).rows[0]?.tally.requests ?? 0;

  for (const kind of ["never", "unanswered", "held", "twice"] as const) {
    it(`loses and doubles nothing: ${kind}`, async () => {
      const { recorder: one, faults } = recorder();
      const already = await stored();
      const events = Array.from({ length: 1_200 }, () => anEvent());
      for (const event of events.slice(0, 700)) one.record(event);
      store.treat(["traffic.recordUsage", "traffic.recordTokens"], { kind });
      assert.ok((await settled(one.flush())).tookMs <= 5_000);
      assert.equal(faults.length, kind === "twice" ? 0 : 1);
      for (const event of events.slice(700)) one.record(event);
      assert.ok((await settled(one.flush())).tookMs <= 5_000);
      store.calm();
      store.release("last");
      await settled(one.flush());
      assert.equal(one.held, 0);
      assert.equal(await stored(), already + events.length, "each once");
      assert.equal(await one.close(), 0);
    });
  }

  it("ends in 5 s and says what is lost", async () => {
    const { recorder: one } = recorder();
    for (let i = 0; i < 10; i += 1) one.record(anEvent());
    store.treatAll({ kind: "never" });
    const flushing = one.flush();
    const { value, tookMs } = await settled(one.close());
    await flushing;
    assert.equal(value, 10);
    assert.ok(tookMs <= 5_500, `${tookMs} ms`);
  });

  it("is summed up another time", async () => {
    // What the stories above have left would take more steps than seconds go by here.
    while ((await real.traffic.foldUsage(1_000)).more);
    await real.traffic.recordUsage([anEvent()]);
    const shares = { fold: 1, behind: 1, prune: 1 };
    for (const method of ["traffic.foldUsage", "traffic.pruneUsage"] as const) {
      store.treat(method, { kind: "never" });
      const { error } = await settled(keepUsage({ traffic: store.traffic, before: Date.now(), shares }));
      assert.match(String(error), /did not answer within 60000 ms/);
      store.calm();
    }
    const { error } = await settled(keepUsage({ traffic: store.traffic, before: 0, shares }));
    assert.equal(error, undefined);
    assert.equal((await real.traffic.foldUsage(1_000)).events, 0, "by then");
  });
});

describe("following the log, with a store that never answers", () => {
  const follower = (): { one: ControlFollower; faults: unknown[] } => {
    const faults: unknown[] = [];
    const one = new ControlFollower({
      control: store.control,
      sealer,
      clock: { now: () => Date.now(), monotonic: () => performance.now() },
      maxStaleMs: 5_000,
      onApplied: () => undefined,
      onFault: (error) => faults.push(error),
      onRecovered: () => undefined,
    });
    return { one, faults };
  };

  it("does not start: in 10 s it says why", async () => {
    const { one } = follower();
    store.treat("control.snapshot", { kind: "never" });
    const { error, tookMs } = await settled(one.start());
    one.stop();
    assert.match(String(error), /The store did not answer within 10000 ms/);
    assert.ok(tookMs <= 10_000, `${tookMs} ms`);
  });

  it("reads everything anew for as long as it takes, while nobody waits, once", async () => {
    const { one } = follower();
    await one.start();
    one.stop();
    const before = one.rev;
    // Somebody put a backup in place of the log.
    store.treat("control.head", { kind: "instead", answer: () => before - 1 });
    store.treat("control.snapshot", { kind: "held" });
    const asked = store.calls("control.snapshot");
    for (let look = 0; look < 4; look += 1) assert.ok((await settled(one.refresh())).tookMs <= 500);
    assert.equal(store.calls("control.snapshot") - asked, 1, "not asked again while it is under way");
    store.release();
    await settled(one.refresh());
    assert.equal(store.calls("control.snapshot") - asked, 1);
    passed += 4_000;
    assert.equal((await settled(Promise.resolve(one.isFresh()))).value, false, "as fresh as when it was asked for");
  });

  it("skips no change when an answer is only a part, comes twice or not at all", async () => {
    const { one, faults } = follower();
    await one.start();
    one.stop();
    const act = { store: real, sealer, clock: systemClock, actor: "test" };
    await setSetting(act, "sender-name", "one");
    const { rev } = await setSetting(act, "sender-name", "two");
    const parts: ((real: unknown) => unknown)[] = [
      () => [],
      (changes) => (changes as unknown[]).slice(1),
      (changes) => (changes as unknown[]).toReversed(),
      (changes) => [(changes as unknown[])[0], (changes as unknown[])[0]],
    ];
    for (const part of parts) {
      store.treat("control.changesAfter", { kind: "instead", answer: async (all) => part(await all()) });
      await settled(one.refresh());
      assert.ok(one.rev < rev, "not applied");
    }
    assert.equal(faults.length, 1);
    store.calm();
    await settled(one.refresh());
    assert.equal(one.rev, rev);
    assert.equal(one.settings.get("sender-name"), "two");
  });
});
