import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AT_FULL_SIZE } from "../../../test/support/rounds.ts";
import { effectiveSetting, parseSetting } from "../src/config/settings.ts";
import { isAigwError } from "../src/errors.ts";
import type { Database } from "../src/store/sqlite/files/database.ts";
import { anEvent } from "../src/testing/index.ts";
import { counted, FILTERS, foldAll, rowsOf, DAY as SOME_DAY, someEvents } from "../src/testing/usage-report-model.ts";
import { keepUsage, pruneTime } from "../src/usage/keep-usage.ts";
import { bucketOf, LATENCY_BOUNDS, LATENCY_BUCKETS, quantile } from "../src/usage/latency-buckets.ts";
import { DAY_MS, HOUR_MS, planReport, type Range } from "../src/usage/report-plan.ts";
import { sumTallies, type UsageKey } from "../src/usage/usage-report.ts";
import { foldAsBefore, pruneAsBefore } from "./store-support/older-fold.ts";
import { downgradeUsage } from "./store-support/older-usage.ts";
import { randomOf } from "./store-support/random.ts";
import { sqliteFixture } from "./store-support/sqlite-fixture.ts";

const DAY = Date.UTC(2027, 0, 10);

describe("latency buckets", () => {
  it("begin at each bound and leave nothing out", () => {
    assert.equal(LATENCY_BUCKETS, 36);
    assert.equal(bucketOf(0), 0);
    for (const [index, bound] of LATENCY_BOUNDS.entries()) {
      assert.equal(bucketOf(bound), index + 1);
      assert.equal(bucketOf(bound - 0.001), index);
    }
    assert.equal(bucketOf(1e9), LATENCY_BUCKETS - 1);
  });

  it("tell quantiles within a bucket's width, however the calls are spread", () => {
    for (const latencyAt of [
      (q: number) => 5 + 900 * q,
      (q: number) => 2 ** (10 * q),
      (q: number) => (q < 0.9 ? 20 : 5_000),
    ]) {
      const counts = Array<number>(LATENCY_BUCKETS).fill(0);
      for (let n = 0; n < 10_000; n += 1) {
        const bucket = bucketOf(latencyAt(n / 10_000));
        counts[bucket] = (counts[bucket] ?? 0) + 1;
      }
      for (const q of [0.1, 0.5, 0.95, 0.99]) {
        const [told = 0, real] = [quantile(counts, q), latencyAt(q)];
        assert.ok(told / real > 0.66 && told / real < 1.51, `${q}: ${told} for ${real}`);
      }
    }
    assert.equal(quantile(Array<number>(LATENCY_BUCKETS).fill(0), 0.5), undefined);
    assert.equal(quantile([...Array<number>(LATENCY_BUCKETS - 1).fill(0), 3], 0.5), 131_072);
  });

  it("are the same in the database, at every bound", async () => {
    const { open } = sqliteFixture();
    const store = open();
    for (const bound of LATENCY_BOUNDS) {
      store.traffic.recordUsage([
        anEvent({ at: DAY, latencyMs: bound }),
        anEvent({ at: DAY, latencyMs: bound - 0.01 }),
      ]);
    }
    const single = store.traffic.usageReport({ by: [], filter: {} });
    store.traffic.foldUsage(1_000);
    assert.deepEqual(store.traffic.usageReport({ by: [], filter: {} }), single);
    await store.close();
  });
});

describe("the plan of a report", () => {
  const covered = (ranges: readonly Range[], unit: number): readonly Range[] =>
    ranges.map(({ from, to }) => ({ from: from * unit, to: to * unit }));

  it("covers the period without gap or overlap, in the largest units", () => {
    const edges = [
      0,
      1,
      HOUR_MS - 1,
      HOUR_MS,
      3.5 * HOUR_MS,
      DAY_MS,
      DAY_MS + 1,
      2.9 * DAY_MS,
      5 * DAY_MS,
      5.01 * DAY_MS,
    ];
    for (const since of edges) {
      for (const until of edges) {
        for (const by of [["client"], ["hour"]] as const) {
          const plan = planReport({ by, since: DAY + since, until: DAY + until, prunedBefore: 0 });
          const parts = [...covered(plan.days, DAY_MS), ...covered(plan.hours, HOUR_MS), ...plan.raw].toSorted(
            (one, other) => one.from - other.from,
          );
          let at = DAY + since;
          for (const part of parts) {
            assert.equal(part.from, at);
            assert.ok(part.to > part.from);
            at = part.to;
          }
          assert.equal(at, DAY + Math.max(since, until), JSON.stringify({ since, until }));
          assert.ok(plan.raw.every(({ from, to }) => to - from < 2 * HOUR_MS));
          assert.ok(by[0] !== "hour" || plan.days.length === 0);
        }
      }
    }
  });
});

describe("the sums of all clients together", () => {
  const filled = () => {
    const { open } = sqliteFixture();
    const store = open();
    const more = (from: number): void => {
      store.traffic.recordUsage(
        Array.from({ length: 500 }, (_, n) =>
          anEvent({
            at: DAY + ((from + n) % 60) * HOUR_MS,
            client: `client-${(from + n) % 7}`,
            service: `service-${n % 3}`,
            status: n % 5 === 0 ? 502 : 200,
            latencyMs: n,
            outcome: n % 5 === 0 ? "upstream_error" : "ok",
          }),
        ),
      );
      while (store.traffic.foldUsage(100).more);
    };
    more(0);
    return { store, open, more, db: store.traffic.database() };
  };
  /** Once as it is, once put together from what it is by client. */
  const assertSameByClient = (store: ReturnType<typeof filled>["store"]): void => {
    for (const by of [["hour"], ["day", "status"], ["service"], []] as const) {
      const sums = (keys: readonly UsageKey[]): unknown => {
        const { rows } = store.traffic.usageReport({ by: keys, filter: {} });
        const groups = Map.groupBy(rows, ({ key }) => key.slice(0, by.length).join(" "));
        return [...groups].map(([name, group]) => [name, sumTallies(group.map(({ tally }) => tally))]).toSorted();
      };
      assert.deepEqual(sums(by), sums([...by, "client"]));
    }
  };
  const inTotals = (db: Database): number =>
    db.get<{ requests: number | null }>("SELECT sum(requests) AS requests FROM usage_totals")?.requests ?? 0;

  it("are what the clients' sums come to, and go with the hours", async () => {
    const { store, db } = filled();
    assert.equal(inTotals(db), 500);
    assertSameByClient(store);
    while (store.traffic.pruneUsage(DAY + DAY_MS, 10).more);
    assert.equal(inTotals(db), 500 - (20 * 9 + 4 * 8));
    assert.equal(store.traffic.usageReport({ by: [], filter: {} }).rows[0]?.tally.requests, 500);
    assertSameByClient(store);
    await store.close();
  });

  it("by day stay when the hours go, and are made for a store of the version before", async () => {
    const { store, open, db } = filled();
    const byDay = (of: Database): unknown =>
      of.all("SELECT * FROM usage_day_totals ORDER BY period, service, status, outcome");
    const made = byDay(db);
    assert.equal(db.get<{ n: number }>("SELECT sum(requests) AS n FROM usage_day_totals")?.n, 500);
    while (store.traffic.pruneUsage(DAY + 2 * DAY_MS, 10).more);
    assert.deepEqual(byDay(db), made);
    // Of the clients' own sums nothing is asked.
    const whole = store.traffic.usageReport({ by: ["week"], filter: {} });
    db.exec(
      "CREATE TEMP TABLE kept AS SELECT * FROM usage_days; DELETE FROM usage_days; UPDATE usage_months SET requests = 0",
    );
    assert.deepEqual(store.traffic.usageReport({ by: ["week"], filter: {} }), whole);
    assert.equal(store.traffic.usageReport({ by: [], filter: {} }).rows[0]?.tally.requests, 500);
    db.exec("INSERT INTO usage_days SELECT * FROM kept");
    await store.close();
    downgradeUsage(db.path, 9);
    const again = open();
    assert.deepEqual(byDay(again.traffic.database()), made);
    assert.deepEqual(again.traffic.usageReport({ by: ["week"], filter: {} }), whole);
    await again.close();
  });

  it("are made for a store that had none", async () => {
    const { store, open, db } = filled();
    const { events } = store.traffic.latestUsage({}, 1_000);
    await store.close();
    downgradeUsage(db.path, 1);
    const again = open();
    assert.deepEqual(again.traffic.latestUsage({}, 1_000).events, events, "nothing is lost");
    assert.equal(inTotals(again.traffic.database()), 500);
    assertSameByClient(again);
    await again.close();
  });

  it("are not asked once an older version has counted without them", async () => {
    const { store, more, db } = filled();
    db.exec("DELETE FROM usage_totals; UPDATE meta SET value = value - 10 WHERE key = 'usage_totals'");
    assertSameByClient(store);
    more(500);
    assert.equal(inTotals(db), 0);
    assertSameByClient(store);
    await store.close();
  });
});

describe("sums of all clients by day that a version without them leaves behind", () => {
  const BY: readonly (readonly UsageKey[])[] = [
    [],
    ["day"],
    ["week", "model"],
    ["month", "service", "status"],
    ["plan"],
  ];

  for (const seed of AT_FULL_SIZE ? [1, 2, 3, 4, 5, 6] : [1, 2]) {
    it(`are caught up with, and no report is wrong meanwhile (history ${seed})`, async () => {
      const { open } = sqliteFixture();
      const [one, two] = [open(), open()];
      const db = one.traffic.database();
      const random = randomOf(seed);
      const events = someEvents();
      let [recorded, caughtUp] = [0, 0];
      const assertExact = (): void => {
        const by = BY[random(BY.length)] ?? [];
        const fields = FILTERS[2 * random(2)] ?? {};
        const report = two.traffic.usageReport({ by, filter: fields });
        assert.deepEqual(
          rowsOf(report),
          counted(events.slice(0, recorded), by, fields),
          JSON.stringify({ by, fields }),
        );
      };
      const acts: readonly (() => void)[] = [
        () => {
          const next = recorded + 1 + random(60);
          one.traffic.recordUsage(events.slice(recorded, next));
          recorded = Math.min(next, events.length);
        },
        // Numbers that are given to nobody.
        () => one.traffic.recordUsage(one.traffic.latestUsage({}, 2).events),
        () => two.traffic.foldUsage(1 + random(50)),
        () => foldAsBefore(db, 1 + random(50), { dayTotals: false }),
        () => pruneAsBefore(db, SOME_DAY + random(5) * DAY_MS, 1 + random(90)),
        () => two.traffic.pruneUsage(SOME_DAY + random(4) * DAY_MS, 1 + random(40)),
      ];
      for (let turn = 0; turn < 120; turn += 1) {
        acts[random(acts.length)]?.();
        assertExact();
        const [totals, folded] = ["usage_day_totals", "usage_folded"].map(
          (key) => db.get<{ value: number }>("SELECT value FROM meta WHERE key = ?", key)?.value,
        );
        if (totals === folded) caughtUp += 1;
      }
      assert.ok(caughtUp > 20, `${caughtUp}`);
      await foldAll(two.traffic);
      const sums = (table: string): unknown =>
        db.all(
          `SELECT period, service, status, outcome, model, plan, sum(requests) AS n, sum(l5) AS l5, max(last_at) AS last
           FROM ${table} GROUP BY 1, 2, 3, 4, 5, 6`,
        );
      assert.deepEqual(sums("usage_day_totals"), sums("usage_days"));
      for (const by of BY)
        assert.deepEqual(
          rowsOf(two.traffic.usageReport({ by, filter: {} })),
          counted(events.slice(0, recorded), by, {}),
        );
      await one.close();
      await two.close();
    });
  }
});

describe("sums by month", () => {
  it("are what the days' sums come to, wherever a period begins and ends, pruned or not", async () => {
    const { open } = sqliteFixture();
    const store = open();
    const worth = { units: { pages: 1_500_000 }, metered: "yes", cost: 7 } as const;
    // Half a year, the turn of it in the middle, in no order of time.
    store.traffic.recordUsage(
      Array.from({ length: 1_000 }, (_, n) =>
        anEvent({
          at: Date.UTC(2026, 9, 3) + ((n * 77) % 180) * DAY_MS + (n % 24) * HOUR_MS,
          client: `c${n % 3}`,
          latencyMs: n % 64,
          ...(n % 2 === 0 && { ...worth, model: `m${n % 4}` }),
        }),
      ),
    );
    while (store.traffic.foldUsage(100).more);
    const days = [Date.UTC(2026, 9, 1), Date.UTC(2026, 10, 1), Date.UTC(2026, 10, 17, 5, 30), Date.UTC(2027, 1, 28)];
    const compared = (): void => {
      for (const since of [0, ...days])
        for (const until of [...days.slice(1), Date.UTC(2027, 2, 1), Date.UTC(2027, 5, 1), undefined]) {
          for (const by of [[], ["client"], ["model", "service"]] satisfies UsageKey[][]) {
            const query = { filter: { since }, ...(until !== undefined && { until }) };
            const { rows } = store.traffic.usageReport({ ...query, by: [...by, "day"] });
            const groups = Map.groupBy(rows, ({ key }) => key.slice(0, -1).join(" "));
            const merged = [...groups].map(([name, group]) => [name, sumTallies(group.map(({ tally }) => tally))]);
            const report = store.traffic.usageReport({ ...query, by });
            const found = report.rows.map(({ key, tally }) => [key.join(" "), tally]);
            assert.deepEqual(new Map(found as never), new Map(merged as never), JSON.stringify({ since, until, by }));
          }
        }
    };
    compared();
    const months = (): readonly unknown[] =>
      store.traffic
        .usageReport({ by: ["month"], filter: {} })
        .rows.map(({ key: [month] }) => month)
        .toSorted();
    const expected = [9, 10, 11, 12, 13, 14].map((month) => Date.UTC(2026, month)).concat(Date.UTC(2027, 2));
    assert.deepEqual(months(), expected.slice(0, months().length));
    assert.ok(months().length >= 6);
    while (store.traffic.pruneUsage(Date.UTC(2027, 0, 10), 1_000).more);
    compared();
    await store.close();
  });
});

describe("what calls were worth", () => {
  it("costs calls without a meter and a price no row", async () => {
    const { open } = sqliteFixture();
    const store = open();
    const rows = (): readonly unknown[] => {
      while (store.traffic.foldUsage(1_000).more);
      const tables = ["usage_hours", "usage_days", "usage_totals"].flatMap((name) => [name, `${name}_worth`]);
      return tables.map((name) => store.traffic.database().get<{ n: number }>(`SELECT count(*) AS n FROM ${name}`)?.n);
    };
    const plain = Array.from({ length: 100 }, (_, n) => anEvent({ at: DAY + n, client: `c${n % 10}` }));
    store.traffic.recordUsage(plain);
    assert.deepEqual(rows(), [10, 0, 10, 0, 1, 0]);
    const worth = { units: { pages: 1, n: 1 }, metered: "yes", model: "m", cost: 1 } as const;
    store.traffic.recordUsage([
      anEvent({ at: DAY, client: "c1", service: "chat", ...worth }),
      anEvent({ at: DAY, client: "c1", service: "chat", ...worth, cost: null, model: "n" }),
      anEvent({ at: DAY, client: "c1", service: "chat", units: {}, metered: "no", cost: null }),
    ]);
    assert.deepEqual(rows(), [13, 5, 13, 5, 4, 5]);
    store.traffic.recordUsage(plain.map((event) => ({ ...event, id: `${event.id}.again` })));
    assert.deepEqual(rows(), [13, 5, 13, 5, 4, 5]);
    while (store.traffic.pruneUsage(DAY + DAY_MS, 10).more);
    assert.deepEqual(rows(), [0, 0, 13, 5, 0, 0]);
    await store.close();
  });

  it("is summed up however large: a service may say the most that there is for ever", async () => {
    const { open } = sqliteFixture();
    const store = open();
    const most = { units: { n: 10 ** 15 }, cost: Number.MAX_SAFE_INTEGER, metered: "yes" } as const;
    for (let batch = 0; batch < 10; batch += 1)
      store.traffic.recordUsage(Array.from({ length: 1_000 }, () => anEvent({ at: DAY, ...most })));
    const report = () => store.traffic.usageReport({ by: [], filter: {} }).rows[0]?.tally;
    for (let turn = 0; turn < 2; turn += 1) {
      // Beyond 64 bits: 10^19 and 9 x 10^19.
      assert.deepEqual(report()?.units, new Map([["n", 10n ** 19n]]));
      assert.equal(report()?.cost, BigInt(Number.MAX_SAFE_INTEGER) * 10_000n);
      while (store.traffic.foldUsage(2_000).more);
    }
    await store.close();
  });
});

describe("keeping usage", () => {
  it("folds, then prunes in slices, and may be broken off in between", async () => {
    const { open } = sqliteFixture();
    const store = open();
    store.traffic.recordUsage(Array.from({ length: 900 }, (_, n) => anEvent({ at: DAY + n })));
    const stop = new AbortController();
    const seen: number[] = [];
    const options = { traffic: store.traffic, before: DAY + DAY_MS, shares: { fold: 0.9, behind: 0.9, prune: 0.9 } };
    const onPruned = (events: number): void => {
      seen.push(events);
      stop.abort();
    };
    assert.deepEqual(await keepUsage({ ...options, before: undefined }), { pruned: 0, more: false });
    assert.deepEqual(await keepUsage({ ...options, signal: stop.signal, onPruned }), { pruned: 100, more: true });
    assert.deepEqual(seen, [100]);
    assert.equal(store.traffic.latestUsage({}, 1_000).events.length, 800);
    assert.deepEqual(await keepUsage({ ...options, longestMs: { fold: 0, prune: 0 } }), { pruned: 0, more: true });
    assert.deepEqual(await keepUsage(options), { pruned: 800, more: false });
    assert.equal(store.traffic.usageReport({ by: [], filter: {} }).rows[0]?.tally.requests, 900);
    await store.close();
  });

  it("goes by the setting usage-days", () => {
    assert.equal(effectiveSetting("usage-days", new Map(), {}).value, "90");
    assert.equal(effectiveSetting("usage-days", new Map(), { AIGW_USAGE_DAYS: "7" }).value, "7");
    assert.equal(pruneTime("90", 100 * DAY_MS), 10 * DAY_MS);
    assert.equal(pruneTime("forever", DAY), undefined);
    for (const value of ["0", "-1", "1.5", "90d", "never", "100000", ""]) {
      assert.throws(
        () => parseSetting("usage-days", value),
        (error) => isAigwError(error, "invalid_value") && error.message.includes(`'${value}'`),
      );
    }
  });
});
