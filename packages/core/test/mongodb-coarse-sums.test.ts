import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import { type TrafficCollections, trafficCollections } from "../src/store/mongodb/traffic/collections.ts";
import { foldUsage } from "../src/store/mongodb/traffic/usage-fold.ts";
import { UsageLog } from "../src/store/mongodb/traffic/usage-log.ts";
import { pruneUsage } from "../src/store/mongodb/traffic/usage-prune.ts";
import { counted, DAY, FILTERS, foldAll, pruneAll, rowsOf, someEvents } from "../src/testing/usage-report-model.ts";
import { DAY_MS } from "../src/usage/report-plan.ts";
import type { UsageEvent } from "../src/usage/usage-event.ts";
import type { UsageKey } from "../src/usage/usage-report.ts";
import { type MongoTrafficFixture, mongoTrafficFixture } from "./store-support/mongo-traffic-fixture.ts";
import { randomOf } from "./store-support/random.ts";

/** Over three months. */
const EVENTS: readonly UsageEvent[] = someEvents().map((event, index) => ({
  ...event,
  at: event.at + (index % 3) * 31 * DAY_MS,
}));

const BY: readonly (readonly UsageKey[])[] = [
  [],
  ["day"],
  ["week", "model"],
  ["month", "service", "status"],
  ["plan"],
  ["client"],
  ["month", "client"],
];

/** What a version that does not know the coarse sums works on: whatever it has of them is not where others look. */
const ofVersionBefore = async (fixture: MongoTrafficFixture): Promise<TrafficCollections> => {
  const elsewhere = trafficCollections(fixture.db.client.db(`${fixture.db.databaseName}-elsewhere`));
  await elsewhere.coarse.deleteMany({});
  const { coarse, months, dayTotals } = elsewhere;
  return { ...trafficCollections(fixture.db), coarse, months, dayTotals };
};

/** Whose process ends before it writes to this one. */
const dyingBefore = (fixture: MongoTrafficFixture, name: "months" | "dayTotals" | "days"): TrafficCollections => {
  const collections = trafficCollections(fixture.db);
  const dead = new Proxy(collections[name], {
    get: (target, property) => {
      if (property === "bulkWrite") return () => Promise.reject(new Error("killed"));
      const value: unknown = Reflect.get(target, property);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { ...collections, [name]: dead };
};

describe("sums by month, and of all clients by day, on MongoDB", { skip: mongodbMissing, concurrency: 1 }, () => {
  let fixture: MongoTrafficFixture;
  before(async () => {
    fixture = await mongoTrafficFixture("standalone");
  });
  after(async () => {
    await fixture.db.client.db(`${fixture.db.databaseName}-elsewhere`).dropDatabase();
    await fixture.dispose();
    mongodbRan();
  });
  const coarseOf = (): Promise<{ seq: number; to: number | null; next?: number } | null> =>
    trafficCollections(fixture.db).coarse.findOne({ _id: "coarse" });

  it("are made of the days of a store that had none, of which a report is exact before and after", async () => {
    await fixture.empty();
    const [one, two] = [await fixture.open(), await fixture.open()];
    const log = new UsageLog(trafficCollections(fixture.db).usage);
    await one.recordUsage(EVENTS);
    for (let turn = 0; turn < 12; turn += 1) await foldUsage(await ofVersionBefore(fixture), log, 50);
    await pruneUsage(await ofVersionBefore(fixture), log, DAY + 20 * DAY_MS, 1_000);
    const assertExact = async (): Promise<void> => {
      for (const by of BY)
        assert.deepEqual(rowsOf(await two.usageReport({ by, filter: {} })), counted(EVENTS, by, {}), by.join());
    };
    assert.equal(await coarseOf(), null);
    await assertExact();
    // Two gateways at once.
    await Promise.all([foldAll(one), foldAll(two)]);
    const state = await coarseOf();
    assert.deepEqual([state?.to, state?.next], [null, undefined]);
    await assertExact();
    // The days, which a report of a year would read a hundred times as many of, are not read.
    await fixture.db.collection("usage_days").updateMany({}, { $inc: { n: 1_000 } });
    await assertExact();
  });

  let ready = 0;
  for (const seed of [1, 3, 5]) {
    it(`lack nothing that others fold, prune or leave half done (history ${seed})`, { timeout: 60_000 }, async () => {
      await fixture.empty();
      const [one, two, three] = [await fixture.open(), await fixture.open(), await fixture.open()];
      const random = randomOf(seed);
      const log = new UsageLog(trafficCollections(fixture.db).usage);
      let recorded = 0;
      const assertExact = async (events: readonly UsageEvent[]): Promise<void> => {
        const by = BY[random(BY.length)] ?? [];
        const fields = FILTERS[2 * random(2)] ?? {};
        const report = await three.usageReport({ by, filter: fields });
        assert.deepEqual(rowsOf(report), counted(events, by, fields), JSON.stringify({ by, fields }));
      };
      const cut = (): number => DAY + random(70) * DAY_MS;
      const dying = ["months", "dayTotals", "days"] as const;
      const acts: readonly (() => Promise<unknown>)[] = [
        () => one.foldUsage(1 + random(50)),
        () => foldAll(two),
        async () => foldUsage(await ofVersionBefore(fixture), log, 1 + random(50)),
        () =>
          foldUsage(dyingBefore(fixture, dying[random(3)] ?? "days"), log, 1 + random(50)).catch((error: Error) =>
            assert.equal(error.message, "killed"),
          ),
        () => two.pruneUsage(cut(), 1 + random(60)),
        async () => pruneUsage(await ofVersionBefore(fixture), log, cut(), 1 + random(60)),
      ];
      for (let turn = 0; turn < 60; turn += 1) {
        const next = Math.min(recorded + random(16), EVENTS.length);
        await one.recordUsage(EVENTS.slice(recorded, next));
        recorded = next;
        const events = EVENTS.slice(0, recorded);
        const act = (): Promise<unknown> | undefined => acts[random(acts.length)]?.();
        // By turns one after the other, and all at once.
        if (turn % 2 === 0) await act();
        else await Promise.all([act(), act(), assertExact(events)]);
        await assertExact(events);
        const state = await coarseOf();
        if (state !== null && state.next === undefined) ready += 1;
      }
      await foldAll(two);
      await pruneAll(two, DAY + 40 * DAY_MS);
      const state = await trafficCollections(fixture.db).state.findOne({ _id: "usage" });
      const coarse = await coarseOf();
      assert.deepEqual([coarse?.seq, coarse?.to, coarse?.next], [state?.seq, null, undefined]);
      for (const by of BY)
        assert.deepEqual(
          rowsOf(await three.usageReport({ by, filter: {} })),
          counted(EVENTS.slice(0, recorded), by, {}),
          by.join(),
        );
    });
  }

  it("were asked in those histories, and not only at their ends", () => assert.ok(ready > 15, `${ready}`));
});
