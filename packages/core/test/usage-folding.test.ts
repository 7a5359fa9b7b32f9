import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { restoreBackup } from "../src/store/sqlite/backup/restore-backup.ts";
import type { Database } from "../src/store/sqlite/files/database.ts";
import { SqliteStore } from "../src/store/sqlite/sqlite-store.ts";
import { anEvent, FixedClock } from "../src/testing/index.ts";
import { counted, DAY, FILTERS, foldAll, QUERIES, rowsOf, someEvents } from "../src/testing/usage-report-model.ts";
import { DAY_MS, HOUR_MS } from "../src/usage/report-plan.ts";
import type { UsageEvent } from "../src/usage/usage-event.ts";
import type { UsageKey } from "../src/usage/usage-report.ts";
import { temporaryFolder } from "./store-support/folders.ts";
import { foldAsBefore, pruneAsBefore } from "./store-support/older-fold.ts";
import { randomOf } from "./store-support/random.ts";
import { sqliteFixture } from "./store-support/sqlite-fixture.ts";

const foldingOf = (db: Database): unknown => db.get("SELECT * FROM usage_folding");

/** Of so many clients by turns, each with a call an hour. */
const byTurns = (clients: number, count: number, more: Partial<UsageEvent> = {}): readonly UsageEvent[] =>
  Array.from({ length: count }, (_, n) =>
    anEvent({
      at: DAY + Math.floor(n / clients) * HOUR_MS,
      client: `c${(n * 7) % clients}`,
      latencyMs: n % 50,
      bytesIn: n,
      ...more,
    }),
  );

/** Each of the sums, so that one counted twice or in one table only is seen. */
const assertSums = (db: Database): void => {
  const sums = (table: string, period: string): unknown =>
    db.all(
      `SELECT ${period} AS p, service, status, outcome, model, plan, sum(requests) AS n, sum(bytes_in) AS b, sum(l5) AS l5,
         max(last_at) AS last
       FROM ${table} GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6`,
    );
  assert.deepEqual(sums("usage_day_totals", "period"), sums("usage_days", "period"));
  const month = "CAST(strftime('%Y%m', period * 86400, 'unixepoch') AS INTEGER)";
  const ofMonth = "(period / 12) * 100 + period % 12 + 1";
  assert.deepEqual(sums("usage_months", ofMonth), sums("usage_days", month));
};

describe("events of many groups", () => {
  it("are added to the sums in transactions of 25 groups and 100 units, and each group once", async () => {
    const { open } = sqliteFixture();
    const store = open();
    const db = store.traffic.database();
    const units = { units: { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 }, metered: "yes", cost: 1 } as const;
    store.traffic.recordUsage([...byTurns(300, 600), ...byTurns(40, 80, { at: DAY + 9 * DAY_MS, ...units })]);
    const transactions: { groups: number; units: number; reads: number }[] = [];
    const { run, arrays, immediate } = db;
    let current: (typeof transactions)[number] | undefined;
    db.immediate = (work) => {
      current = { groups: 0, units: 0, reads: 0 };
      transactions.push(current);
      try {
        return immediate.call(db, work) as ReturnType<typeof work>;
      } finally {
        current = undefined;
      }
    };
    db.run = (sql, ...values) => {
      if (current !== undefined && sql.startsWith("INSERT INTO usage_hours ")) current.groups += 1;
      if (current !== undefined && sql.startsWith("INSERT INTO usage_hours_worth ")) current.units += 1;
      return run.call(db, sql, ...values);
    };
    db.arrays = (sql, ...values) => {
      if (current !== undefined && / FROM usage WHERE /.test(sql)) current.reads += 1;
      return arrays.call(db, sql, ...values) as never;
    };
    assert.equal(await foldAll(store.traffic), 680);
    assert.ok(transactions.length > 25, `${transactions.length}`);
    for (const { groups, units: worth, reads } of transactions) {
      assert.ok(groups <= 25, `${groups} groups`);
      assert.ok(worth <= 106, `${worth} units`);
      assert.equal(reads, 0, "events are read without the lock");
    }
    const sum = (of: "groups" | "units"): number => transactions.reduce((all, one) => all + one[of], 0);
    assert.deepEqual([sum("groups"), sum("units")], [640, 280]);
    assert.equal(foldingOf(db), undefined);
    assertSums(db);
    await store.close();
  });

  it("are gathered beyond a step, so that a client that calls by turns is added once", async () => {
    const { open } = sqliteFixture();
    const store = open();
    const db = store.traffic.database();
    const events = Array.from({ length: 2_000 }, (_, n) => anEvent({ at: DAY + n, client: `c${n % 100}` }));
    store.traffic.recordUsage(events);
    let groups = 0;
    const { run } = db;
    db.run = (sql, ...values) => {
      if (sql.startsWith("INSERT INTO usage_hours ")) groups += 1;
      return run.call(db, sql, ...values);
    };
    await foldAll(store.traffic);
    assert.equal(groups, 100);
    assert.deepEqual(
      rowsOf(store.traffic.usageReport({ by: ["client"], filter: {} })),
      counted(events, ["client"], {}),
    );
    await store.close();
  });

  it("are done with although more have come meanwhile, which are for the next time", async () => {
    const { open } = sqliteFixture();
    const store = open();
    const db = store.traffic.database();
    const [first, second] = [byTurns(100, 200), byTurns(100, 200, { at: DAY + DAY_MS })];
    store.traffic.recordUsage(first);
    while (foldingOf(db) === undefined) assert.ok(store.traffic.foldUsage(500).more);
    store.traffic.recordUsage(second);
    assert.equal(await foldAll(store.traffic), 0);
    assert.equal(db.get<{ value: number }>("SELECT value FROM meta WHERE key = 'usage_folded'")?.value, first.length);
    const query = { by: ["client"], filter: {} } as const;
    const all = counted([...first, ...second], query.by, query.filter);
    assert.deepEqual(rowsOf(store.traffic.usageReport(query)), all);
    assert.equal(await foldAll(store.traffic), second.length);
    assert.deepEqual(rowsOf(store.traffic.usageReport(query)), all);
    await store.close();
  });

  it("are in every report between any two transactions, whoever goes on", async () => {
    const { open } = sqliteFixture();
    const store = open();
    const events = someEvents();
    store.traffic.recordUsage(events);
    const db = store.traffic.database();
    let states = 0;
    for (let more = true, turn = 0; more; turn += 1) {
      // Killed each time, but for what is in the database.
      const folder = open();
      do ({ more } = folder.traffic.foldUsage(64));
      while (more && foldingOf(db) === undefined);
      const before = JSON.stringify(foldingOf(db));
      while (more && JSON.stringify(foldingOf(db)) === before) ({ more } = folder.traffic.foldUsage(64));
      await folder.close();
      if (foldingOf(db) !== undefined) states += 1;
      for (const [index, query] of QUERIES.entries()) {
        if (index % 5 !== turn % 5) continue;
        const { by, filter, until } = query;
        assert.deepEqual(
          rowsOf(store.traffic.usageReport(query)),
          counted(events, by, filter, until),
          JSON.stringify({ turn, query }),
        );
      }
    }
    assert.ok(states >= 5, `${states}`);
    assertSums(db);
    await store.close();
  });

  it("keep the order of their keys, whatever a model is called", async () => {
    const { open } = sqliteFixture();
    const store = open();
    const models = ["\u{1f600}", "\ufb01", "\uffee", "z", "", "é", "\u{10000}", "a b", "\ud7ff", "\ue000"];
    const events = Array.from({ length: 120 }, (_, n) =>
      anEvent({ at: DAY + n, client: `c${n % 12}`, metered: "yes", model: models[n % models.length] ?? "" }),
    );
    store.traffic.recordUsage(events);
    let states = 0;
    for (let more = true; more; ) {
      ({ more } = store.traffic.foldUsage(40));
      if (foldingOf(store.traffic.database()) !== undefined) states += 1;
      for (const by of [["model"], ["client", "model"]] satisfies UsageKey[][])
        assert.deepEqual(rowsOf(store.traffic.usageReport({ by, filter: {} })), counted(events, by, {}));
    }
    assert.ok(states >= 2, `${states}`);
    await store.close();
  });
});

describe("a folding that is half done", () => {
  const BY: readonly (readonly UsageKey[])[] = [
    [],
    ["day"],
    ["client"],
    ["week", "model"],
    ["month", "service"],
    ["plan"],
  ];

  for (const seed of [1, 2, 3, 4, 5]) {
    it(`is exact beside kills, others who fold, versions that do not know it, and pruning (history ${seed})`, async () => {
      const { open } = sqliteFixture();
      const store = open();
      const db = store.traffic.database();
      const folders = [open(), open()];
      const random = randomOf(seed);
      const events = someEvents();
      let [recorded, halfDone, lastPrune] = [0, 0, DAY];
      const limit = (): number => 1 + random(120);
      const acts: readonly (() => unknown)[] = [
        () => {
          const next = Math.min(recorded + 1 + random(100), events.length);
          store.traffic.recordUsage(events.slice(recorded, next));
          recorded = next;
        },
        () => folders[0]?.traffic.foldUsage(limit()),
        () => folders[0]?.traffic.foldUsage(limit()),
        () => folders[1]?.traffic.foldUsage(limit()),
        () => folders[0]?.traffic.foldUsage(limit()),
        () => folders[1]?.traffic.foldUsage(limit()),
        () => folders[0]?.traffic.foldUsage(limit()),
        () => foldAsBefore(db, 1 + random(20), { dayTotals: random(2) === 0 }),
        () => {
          lastPrune = Math.max(lastPrune, DAY + random(5) * DAY_MS);
          if (random(2) === 0) pruneAsBefore(db, lastPrune, 1 + random(90));
          else store.traffic.pruneUsage(lastPrune, 1 + random(90));
        },
        // A kill: what was not committed is gone.
        async () => {
          await folders[0]?.close();
          folders[0] = open();
        },
      ];
      for (let turn = 0; turn < 240; turn += 1) {
        await acts[random(acts.length)]?.();
        const isHalfDone = foldingOf(db) !== undefined;
        if (isHalfDone) halfDone += 1;
        const by = BY[random(BY.length)] ?? [];
        const filter = FILTERS[random(FILTERS.length)] ?? {};
        assert.deepEqual(
          rowsOf(store.traffic.usageReport({ by, filter })),
          counted(events.slice(0, recorded), by, filter),
          JSON.stringify({ turn, by, filter, isHalfDone }),
        );
        const known = events.slice(0, recorded).filter(({ client }) => client === "c1");
        const last = known.length === 0 ? undefined : Math.max(...known.map(({ at }) => at));
        assert.equal(store.traffic.lastUsage(["c1"]).get("c1"), last);
      }
      assert.ok(halfDone > 10, `${halfDone}`);
      for (const folder of folders) await foldAll(folder.traffic);
      assert.equal(foldingOf(db), undefined);
      assertSums(db);
      for (const by of BY)
        assert.deepEqual(
          rowsOf(store.traffic.usageReport({ by, filter: {} })),
          counted(events.slice(0, recorded), by, {}),
        );
      for (const one of [store, ...folders]) await one.close();
    });
  }

  it("is taken on once by two who are at it in the same moment", async () => {
    const { open } = sqliteFixture();
    const [one, other] = [open(), open()];
    const events = someEvents();
    const db = one.traffic.database();
    const { immediate } = db;
    let overtaken = 0;
    // The other one is always a little faster: between what this one has read and its lock.
    const place = (): string =>
      JSON.stringify([foldingOf(db), db.get("SELECT value FROM meta WHERE key = 'usage_folded'")]);
    db.immediate = (work) => {
      const before = place();
      for (let step = 0; step < 6 && place() === before; step += 1) other.traffic.foldUsage(100);
      if (place() !== before) overtaken += 1;
      return immediate.call(db, work) as ReturnType<typeof work>;
    };
    for (let from = 0; from < events.length; from += 50) {
      other.traffic.recordUsage(events.slice(from, from + 50));
      for (let more = true; more; ) {
        ({ more } = one.traffic.foldUsage(100));
        assert.deepEqual(
          rowsOf(one.traffic.usageReport({ by: ["day"], filter: {} })),
          counted(events.slice(0, from + 50), ["day"], {}),
        );
      }
    }
    assert.ok(overtaken > 10, `${overtaken}`);
    assertSums(db);
    await one.close();
    await other.close();
  });

  it("is in a backup as it is, and goes on where that is restored", async () => {
    const { folder, open } = sqliteFixture();
    const store = open();
    const events = byTurns(60, 120);
    store.traffic.recordUsage(events);
    while (foldingOf(store.traffic.database()) === undefined) store.traffic.foldUsage(1_000);
    const archive = join(folder, "backup.tar");
    await store.backup(archive);
    await store.close();
    const path = join(temporaryFolder(), "aigw.db");
    await restoreBackup(path, archive, {
      prove: () => undefined,
      renew: () => ({ action: "config.set", subject: "sender-name", after: "x" }),
      at: 1,
      actor: "test",
      onProven: () => undefined,
    });
    const restored = new SqliteStore(path, { clock: new FixedClock(), busyTimeoutMs: 5_000, bootId: "boot-1" });
    const report = (): unknown => rowsOf(restored.traffic.usageReport({ by: ["client", "day"], filter: {} }));
    assert.notEqual(foldingOf(restored.traffic.database()), undefined);
    assert.deepEqual(report(), counted(events, ["client", "day"], {}));
    assert.equal(await foldAll(restored.traffic), 0);
    assert.equal(foldingOf(restored.traffic.database()), undefined);
    assert.deepEqual(report(), counted(events, ["client", "day"], {}));
    assertSums(restored.traffic.database());
    await restored.close();
  });

  it("keeps its events from being pruned, also by a version that does not know it", async () => {
    const { open } = sqliteFixture();
    const store = open();
    const db = store.traffic.database();
    const events = byTurns(60, 120);
    store.traffic.recordUsage(events);
    while (foldingOf(db) === undefined) store.traffic.foldUsage(1_000);
    const count = (): number => store.traffic.latestUsage({}, 1_000).events.length;
    assert.deepEqual(store.traffic.pruneUsage(DAY + 9 * DAY_MS, 1_000).events, 0);
    pruneAsBefore(db, DAY + 9 * DAY_MS, 1_000);
    assert.equal(count(), 120);
    const other = open();
    await foldAll(other.traffic);
    assert.deepEqual(rowsOf(store.traffic.usageReport({ by: [], filter: {} })), counted(events, [], {}));
    while (store.traffic.pruneUsage(DAY + 9 * DAY_MS, 1_000).more);
    assert.equal(count(), 0);
    assert.deepEqual(
      rowsOf(store.traffic.usageReport({ by: ["client"], filter: {} })),
      counted(events, ["client"], {}),
    );
    await store.close();
    await other.close();
  });
});
