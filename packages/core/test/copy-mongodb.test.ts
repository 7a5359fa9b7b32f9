import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it, type TestContext } from "node:test";
import { mongodbMissing, mongodbRan, newDatabase } from "../../../test/support/mongodb.ts";
import { until } from "../../../test/support/until.ts";
import { addClient } from "../src/acts/index.ts";
import { systemClock } from "../src/clock.ts";
import { isAigwError } from "../src/errors.ts";
import { initHome, openHome, restoreHome } from "../src/home/index.ts";
import type { OpenedStore } from "../src/store/engine.ts";
import { locateStore, type StorePlace } from "../src/store/engines.ts";
import { anEvent, type FixedClock } from "../src/testing/index.ts";
import { someEvents } from "../src/testing/usage-report-model.ts";
import { copyStore, type StoreCopy } from "../src/transfer/index.ts";
import { DAY_MS } from "../src/usage/report-plan.ts";
import { temporaryFolder } from "./store-support/folders.ts";
import { ACT, everythingOf, lived } from "./store-support/lived-store.ts";
import { connectTo } from "./store-support/mongo-traffic-fixture.ts";
import type { SqliteFixture } from "./store-support/sqlite-fixture.ts";

/** MongoDB's time is its servers', so that it has gone on by when it is looked at. */
const timeless = async (store: OpenedStore): Promise<unknown> => ({
  ...((await everythingOf(store)) as object),
  steady: undefined,
});

const foldAll = async ({ traffic }: OpenedStore): Promise<void> => {
  for (let more = true; more; ) ({ more } = await traffic.foldUsage(2_000));
};

/** Closed with the test, whatever comes of it: an open connection keeps the process. */
const opened = async (t: TestContext, { engine, location }: StorePlace, clock: FixedClock): Promise<OpenedStore> => {
  const store = await engine.open(location, { clock });
  t.after(() => store.close());
  return store;
};

const emptyDatabase = async (t: TestContext, kind?: "standalone" | "set"): Promise<StorePlace> => {
  const { url, drop } = newDatabase(kind);
  t.after(drop);
  return locateStore(url);
};

const copied = async ({ open, clock }: SqliteFixture, to: StorePlace): Promise<StoreCopy> => {
  const source = open();
  try {
    return await copyStore(source, to, { clock });
  } finally {
    await source.close();
  }
};

const inUse = (error: unknown): boolean => isAigwError(error, "already_exists");

describe("a store moved to MongoDB and back", { skip: mongodbMissing }, () => {
  after(mongodbRan);

  for (const kind of ["standalone", "set"] as const) {
    it(`is the same in everything that the port says, on a ${kind}`, async (t) => {
      const fixture = await lived();
      const { clock } = fixture;
      const to = await emptyDatabase(t, kind);
      const there = await copied(fixture, to);
      const source = fixture.open();
      const target = await opened(t, to, clock);
      assert.deepEqual(await timeless(target), await timeless(source));
      const ahead = target.traffic.steadyNow() - source.traffic.steadyNow();
      assert.ok(ahead >= 0 && ahead < 60_000, `its time has gone on by ${ahead} ms`);
      assert.deepEqual(await target.integrityCheck(), []);
      // Each event is in the sums once, those that were not yet as well.
      for (const store of [source, target]) {
        await foldAll(store);
        await store.control.append(7, [{ action: "config.set", subject: "sender-name", after: "x" }], ACT);
      }
      assert.deepEqual(await timeless(target), await timeless(source));
      await assert.rejects(copyStore(source, to, { clock }), inUse);
      await source.close();

      const back = await locateStore(`sqlite:${join(temporaryFolder(), "aigw.db")}`);
      const { parts } = await copyStore(target, back, { clock });
      assert.deepEqual(
        parts.map(({ part, records }) => [part, records]).filter(([part]) => part !== "hours" && part !== "days"),
        there.parts
          .map(({ part, records }) => [part, part === "changes" ? 8 : part === "lastCalls" ? 3 : records])
          .filter(([part]) => part !== "hours" && part !== "days"),
      );
      assert.deepEqual(await timeless(await opened(t, back, clock)), await timeless(target));
    });
  }

  it("has its sums by month, and by day of all clients, made with it", async (t) => {
    const fixture = await lived();
    const source = fixture.open();
    // Months apart, and of many pages.
    const events = someEvents().map((event, index) => ({ ...event, at: event.at + (index % 30) * 11 * DAY_MS }));
    source.traffic.recordUsage(events);
    await foldAll(source);
    await source.close();
    const to = await emptyDatabase(t);
    await copied(fixture, to);
    const client = await connectTo(to.location.url);
    t.after(() => client.close());
    const pages = { $add: [{ $multiply: ["$w.pages.n", 1_000_000] }, "$w.pages.f"] };
    const sumsOf = async (name: string): Promise<readonly unknown[]> => {
      const sums = { n: { $sum: "$n" }, out: { $sum: "$out" }, pages: { $sum: pages }, cur: { $max: "$cur" } };
      return client
        .db()
        .collection(name)
        .aggregate([{ $group: { _id: "$_id.s", ...sums } }, { $sort: { _id: 1 } }])
        .toArray();
    };
    const days = await sumsOf("usage_days");
    assert.ok(days.length > 2);
    for (const name of ["usage_months", "usage_day_totals"]) assert.deepEqual(await sumsOf(name), days, name);
    const [months, all] = await Promise.all(
      ["usage_months", "usage_days"].map((name) => client.db().collection(name).distinct("_id.p")),
    );
    assert.ok((months?.length ?? 0) > 9 && (all?.length ?? 0) > 60);
    const [coarse, main] = await client
      .db()
      .collection("usage_state")
      .find({}, { sort: { _id: 1 } })
      .toArray();
    assert.deepEqual([coarse?.["seq"], coarse?.["next"]], [main?.["seq"], undefined]);
    // And go on.
    const target = await opened(t, to, fixture.clock);
    await target.traffic.recordUsage([anEvent({ at: target.traffic.steadyNow() })]);
    assert.deepEqual(await target.traffic.foldUsage(10), { events: 1, more: false });
    assert.deepEqual(await sumsOf("usage_months"), await sumsOf("usage_days"));
    assert.deepEqual(await target.integrityCheck(), []);
    await client
      .db()
      .collection("usage_months")
      .updateOne({}, { $inc: { cur: 1_000_000 } });
    assert.deepEqual(await target.integrityCheck(), ["The sums in usage_months are ahead of what was counted."]);
  });

  it("is not copied while it is written to", async (t) => {
    const fixture = await lived();
    const { clock } = fixture;
    const to = await emptyDatabase(t);
    await copied(fixture, to);
    const [source, writer] = [await opened(t, to, clock), await opened(t, to, clock)];
    const emptyFile = () => locateStore(`sqlite:${join(temporaryFolder(), "aigw.db")}`);
    let revision = 7;
    const works: readonly (() => Promise<unknown>)[] = [
      async () => writer.traffic.foldUsage(10),
      async () =>
        writer.control.append(revision++, [{ action: "config.set", subject: "sender-name", after: "x" }], ACT),
    ];
    /** @returns false when the copy was there before the work was done: that is another story */
    const isRefused = async (work: () => Promise<unknown>): Promise<boolean> => {
      const back = await emptyFile();
      let done: Promise<unknown> | undefined;
      let isDone = false;
      const begin = async (): Promise<void> => {
        await work();
        isDone = true;
      };
      const copy = copyStore(source, back, {
        clock,
        onRecords: (part) => {
          if (part === "changes") done ??= begin();
        },
      });
      const outcome = await copy.then(
        () => undefined,
        (error: unknown) => error,
      );
      const wasInTime = isDone;
      await done;
      if (outcome === undefined && !wasInTime) return false;
      assert.ok(isAigwError(outcome, "changed_meanwhile"));
      assert.equal(await back.engine.state(back.location), "absent");
      return true;
    };
    for (const work of works) await until("the work to be done in time", () => isRefused(work), 60_000);
    const back = await emptyFile();
    // What is only added is left out.
    const recorded: Promise<unknown>[] = [];
    const { parts } = await copyStore(source, back, {
      clock,
      onRecords: () => recorded.push(Promise.resolve(writer.traffic.recordUsage([anEvent()]))),
    });
    await Promise.all(recorded);
    assert.equal(parts.find(({ part }) => part === "usage")?.records, 1_835);
  });

  it("killed in the middle: no store, and the same again makes it; given up: nothing is left", async (t) => {
    const fixture = await lived();
    const to = await emptyDatabase(t);
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, "store-support", "copy-url-child.ts"), fixture.path, to.location.url],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    const state = await to.engine.state(to.location);
    assert.ok(typeof state === "object" && state.remains.includes("no document"), JSON.stringify(state));
    const { parts } = await copied(fixture, to);
    const target = await opened(t, to, fixture.clock);
    const source = fixture.open();
    assert.deepEqual(await timeless(target), await timeless(source));
    assert.equal(parts.length, 8);

    const stop = new AbortController();
    const place = await emptyDatabase(t);
    const ended = copyStore(source, place, {
      clock: fixture.clock,
      signal: stop.signal,
      onRecords: (part) => part === "days" && stop.abort(),
    });
    await assert.rejects(ended, { name: "AbortError" });
    assert.equal(await place.engine.state(place.location), "absent");
    await source.close();
  });

  it("is backed up into a file that a store of either engine is restored from", async (t) => {
    const clock = systemClock;
    const folder = temporaryFolder();
    const [home, file] = [join(folder, "home"), join(folder, "backup.tar")];
    const { location } = await emptyDatabase(t);
    await initHome({ home, storeUrl: location.url, at: clock.now(), actor: "test" });
    const { store, sealer } = await openHome({ home, storeUrl: location.url, clock });
    t.after(() => store.close());
    await addClient({ store, sealer, clock, actor: "test" }, { name: "john" });
    await store.traffic.recordUsage([anEvent({ at: clock.now() })]);
    const facts = await store.backup(file);
    assert.deepEqual([facts.revision, facts.clients, facts.usageEvents], [2, 1, 1]);
    await assert.rejects(store.backup(file), inUse);
    assert.deepEqual(readdirSync(folder).sort(), ["backup.tar", "home"]);

    const other = await emptyDatabase(t);
    const masterKeyFile = join(home, "master.key");
    const restore = { masterKeyFile, file, at: clock.now(), actor: "test" };
    await assert.rejects(restoreHome({ ...restore, home: join(folder, "in-use"), storeUrl: location.url }), inUse);
    for (const storeUrl of [other.location.url, undefined]) {
      const to = join(folder, storeUrl === undefined ? "file" : "database");
      const restored = await restoreHome({ ...restore, home: to, ...(storeUrl !== undefined && { storeUrl }) });
      assert.equal(restored.facts.head, 3);
      const again = await openHome({ home: to, storeUrl, clock });
      t.after(() => again.store.close());
      assert.equal(again.store.control.storeId, store.control.storeId);
      assert.deepEqual(await again.store.control.client("john"), await store.control.client("john"));
      assert.equal((await again.store.control.keyring()).at(-1)?.kid, restored.kid);
      assert.equal((await again.store.traffic.latestUsage({}, 9)).events.length, 1);
    }
  });

  it("is not made where anything of a store is", async (t) => {
    const fixture = await lived();
    const to = await emptyDatabase(t);
    assert.equal(
      await to.engine.create(to.location, { storeId: "id", keyCheck: "check", changes: [], at: 1, actor: "test" }),
      true,
    );
    await assert.rejects(copied(fixture, to), inUse);
  });
});
