import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { MongoClient } from "mongodb";
import { type ReplicaSet, startReplicaSet } from "../../../test/support/mongod.ts";
import { MONGOD, mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import { until, within } from "../../../test/support/until.ts";
import { isStoreFault } from "../src/errors.ts";
import { MongoTraffic } from "../src/store/mongodb/traffic/mongo-traffic.ts";
import type { TrafficStore } from "../src/store/store.ts";
import { anEvent } from "../src/testing/index.ts";
import { DAY_MS } from "../src/usage/report-plan.ts";
import { OUTCOMES, type UsageEvent } from "../src/usage/usage-event.ts";
import { sumTallies, type UsageReport, type UsageReportQuery } from "../src/usage/usage-report.ts";
import { connectTo, type MongoTrafficFixture, mongoTrafficFixture } from "./store-support/mongo-traffic-fixture.ts";
import { sqliteFixture } from "./store-support/sqlite-fixture.ts";

const START = Date.UTC(2027, 0, 10);

const someEvents = (count: number): readonly UsageEvent[] =>
  Array.from({ length: count }, (_, index) =>
    anEvent({
      at: START + ((index * 7_919_993) % (4 * DAY_MS)),
      client: `c${index % 4}`,
      service: index % 3 === 0 ? "chat" : "ocr",
      status: index % 5 === 0 ? 429 : 200,
      outcome: OUTCOMES[index % 4] ?? "ok",
      latencyMs: (index * 37) % 2_000,
      ...(index % 3 === 0 && {
        units: { pages: 1_000_000 + index, ...(index % 2 === 0 && { n: 10 ** 15 }) },
        metered: "yes",
        model: `m${index % 2}`,
        cost: index % 9 === 0 ? null : Number.MAX_SAFE_INTEGER - index,
        ...(index % 4 === 0 && { plan: "pro" }),
      }),
    }),
  );

const worthOf = (events: readonly UsageEvent[]): readonly unknown[] => {
  const sum = (value: (event: UsageEvent) => number): bigint =>
    events.reduce((all, event) => all + BigInt(value(event)), 0n);
  return [
    sum(({ units }) => units?.["pages"] ?? 0),
    sum(({ units }) => units?.["n"] ?? 0),
    sum(({ cost }) => cost ?? 0),
  ];
};

const reportedWorth = ({ rows }: UsageReport): readonly unknown[] => {
  const { units, cost } = sumTallies(rows.map(({ tally }) => tally));
  return [units.get("pages") ?? 0n, units.get("n") ?? 0n, cost];
};

/** As the recorder does: until the store says yes. */
const recordAtLast = (traffic: TrafficStore, events: readonly UsageEvent[]): Promise<void> =>
  atLast(() => traffic.recordUsage(events));

const atLast = async <T>(work: () => Promise<T> | T): Promise<T> => {
  const deadline = performance.now() + 30_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isStoreFault(error) || performance.now() > deadline) throw error;
      await delay(20);
    }
  }
};

const foldAll = async (traffic: TrafficStore, limit = 200): Promise<void> => {
  while ((await traffic.foldUsage(limit)).more) {
    // The next slice.
  }
};

const requestsOf = ({ rows }: UsageReport): number => rows.reduce((sum, { tally }) => sum + tally.requests, 0);
const idsOf = async (traffic: TrafficStore): Promise<readonly string[]> =>
  (await traffic.latestUsage({}, 1_000_000)).events.map(({ id }) => id);
const sortedRows = ({ rows }: UsageReport): readonly unknown[] =>
  rows.toSorted((one, other) => (one.key.join() < other.key.join() ? -1 : 1));

interface Fault {
  readonly what: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const FAULTS: readonly Fault[] = [
  { what: "the connection breaks off", data: { closeConnection: true } },
  ...[11_602, 10_107, 91].map((errorCode) => ({ what: `error ${errorCode}`, data: { errorCode } })),
  {
    what: "done, but not confirmed",
    data: { writeConcernError: { code: 91, errmsg: "shutting down", errorLabels: ["RetryableWriteError"] } },
  },
  { what: "done after nobody waits any more", data: { blockConnection: true, blockTimeMS: 350 } },
];

// Much of the time is waiting for a server to be found again.
describe("usage on MongoDB", { concurrency: 4 }, () => {
  for (const kind of ["standalone", "set"] as const) {
    describe(`whose answers are lost (${kind})`, { skip: mongodbMissing, concurrency: 1 }, () => {
      after(mongodbRan);
      let fixture: MongoTrafficFixture;
      let client: MongoClient;
      let own: MongoClient;
      let traffic: MongoTraffic;
      // Meets nobody else. A server has one such fail point: other tests that set it have servers of their own.
      const appName = `aigw-faults-${process.pid}-${kind}`;

      const treat = async (commands: readonly string[], data: Fault["data"], mode: unknown): Promise<void> => {
        await client.db("admin").command({
          configureFailPoint: "failCommand",
          mode,
          data: { failCommands: [...commands], appName, ...data },
        });
      };

      before(async () => {
        fixture = await mongoTrafficFixture(kind);
        client = await connectTo(fixture.url);
        own = await connectTo(fixture.url, { appName, socketTimeoutMS: 250 });
        traffic = new MongoTraffic({ db: own.db(), time: { now: () => fixture.clock.now() }, clock: fixture.clock });
        await traffic.latestUsage({}, 1);
      });
      after(async () => {
        await client.db("admin").command({ configureFailPoint: "failCommand", mode: "off" });
        await own.close();
        await client.close();
        await fixture.dispose();
      });

      // A driver takes a set's primary for gone by such a code, and looks for the next.
      for (const { what, data } of FAULTS.filter((fault) => kind === "set" || !("errorCode" in fault.data))) {
        it(`keeps each event once, in sums too: ${what}`, async () => {
          await fixture.empty();
          const other = await fixture.open();
          const recorded: UsageEvent[] = [];
          for (const command of ["insert", "find", "aggregate"]) {
            const events = someEvents(7);
            await treat([command], data, { times: 2 });
            await recordAtLast(traffic, events);
            // Somebody else's come between.
            const others = someEvents(3);
            await recordAtLast(other, others);
            recorded.push(...events, ...others);
            await treat([command], data, "off");
          }
          // Broken off at each step of a slice.
          for (const skip of [0, 3, 5]) {
            await treat(["update", "insert"], data, { skip });
            await traffic.foldUsage(6).catch((error: unknown) => assert.ok(isStoreFault(error), String(error)));
            await treat(["update", "insert"], data, "off");
            await other.foldUsage(5);
            assert.equal(requestsOf(await other.usageReport({ by: ["client"], filter: {} })), recorded.length);
          }
          await foldAll(other);
          // What is still on its way to the server.
          await delay("blockTimeMS" in data ? 400 : 0);
          await foldAll(other);
          assert.deepEqual((await idsOf(other)).toSorted(), recorded.map(({ id }) => id).toSorted());
          assert.equal(requestsOf(await other.usageReport({ by: [], filter: {} })), recorded.length);
          assert.equal(
            requestsOf(await other.usageReport({ by: ["hour"], filter: { client: "c1" } })),
            recorded.filter((event) => event.client === "c1").length,
          );
        });
      }
    });
  }

  describe("many at once", { skip: mongodbMissing, concurrency: 1 }, () => {
    let fixture: MongoTrafficFixture;
    before(async () => {
      fixture = await mongoTrafficFixture("standalone");
    });
    after(async () => {
      await fixture.dispose();
      mongodbRan();
    });

    it("reports exactly while two fold, and one prunes", async () => {
      await fixture.empty();
      const [one, two, three] = [await fixture.open(), await fixture.open(), await fixture.open()];
      const events = someEvents(2_000);
      for (let from = 0; from < events.length; from += 500) await one.recordUsage(events.slice(from, from + 500));
      const ofClient = events.filter(({ client }) => client === "c3").length;
      let done = false;
      const folding = Promise.all([foldAll(one, 97), foldAll(two, 210)]).finally(() => {
        done = true;
      });
      const pruning = (async (): Promise<number> => {
        let pruned = 0;
        while (!done) pruned += (await three.pruneUsage(START + 2 * DAY_MS, 64)).events;
        for (let more = true; more; ) {
          const slice = await three.pruneUsage(START + 2 * DAY_MS, 500);
          pruned += slice.events;
          ({ more } = slice);
        }
        return pruned;
      })();
      let reports = 0;
      for (; !done || reports < 3; reports += 1) {
        const [all, byClient, byHour] = await Promise.all([
          three.usageReport({ by: ["day"], filter: {} }),
          three.usageReport({ by: ["day", "client"], filter: { client: "c3" } }),
          three.usageReport({ by: ["status"], filter: { since: START + 2 * DAY_MS + 1_000 } }),
        ]);
        assert.equal(requestsOf(all), events.length);
        assert.equal(requestsOf(byClient), ofClient);
        assert.deepEqual(reportedWorth(all), worthOf(events));
        assert.deepEqual(reportedWorth(byClient), worthOf(events.filter(({ client }) => client === "c3")));
        assert.equal(requestsOf(byHour), events.filter(({ at }) => at >= START + 2 * DAY_MS + 1_000).length);
      }
      await folding;
      assert.equal(await pruning, events.filter(({ at }) => at < START + 2 * DAY_MS).length);
      assert.equal(requestsOf(await one.usageReport({ by: ["day"], filter: {} })), events.length);
    });

    it("keeps records of calls without a meter as they were before there were any", async () => {
      await fixture.empty();
      const traffic = await fixture.open();
      await traffic.recordUsage([anEvent({ at: START, client: "a", service: "ocr", latencyMs: 0 })]);
      await foldAll(traffic);
      const id = { p: START / DAY_MS, c: "a", s: "ocr", u: 200, o: "ok" };
      const days = fixture.db.collection<{ _id: unknown; cur: number }>("usage_days");
      const { cur, ...plain } = (await days.findOne({})) ?? { cur: 0 };
      assert.deepEqual(plain, { _id: id, n: 1, in: 1_024, out: 2_048, ms: 0, b: { 0: 1 } });
      assert.ok(cur > 0);
      // The same record goes on, and others stand beside it.
      const worth = { units: { pages: 1_500_000 }, metered: "yes", cost: null } as const;
      await traffic.recordUsage([
        anEvent({ at: START, client: "a", service: "ocr", latencyMs: 0 }),
        anEvent({ at: START, client: "a", service: "ocr", latencyMs: 0, model: "m", plan: "pro", ...worth }),
      ]);
      await foldAll(traffic);
      const found = await days.find({}, { sort: { _id: 1 }, projection: { cur: 0 } }).toArray();
      assert.deepEqual(found, [
        { _id: id, n: 2, in: 2_048, out: 4_096, ms: 0, b: { 0: 2 } },
        {
          ...{ _id: { ...id, m: "m", l: "pro" }, n: 1, in: 1_024, out: 2_048, ms: 0, b: { 0: 1 } },
          ...{ unpriced: 1, metered: 1, w: { pages: { n: 1, f: 500_000 } } },
        },
      ]);
    });

    it("sums 20,000 events up as the embedded store does", async () => {
      await fixture.empty();
      const [mongo, sqlite] = [await fixture.open(), sqliteFixture().open()];
      const events = someEvents(20_000);
      for (let from = 0; from < events.length; from += 1_000) {
        const batch = events.slice(from, from + 1_000);
        await mongo.recordUsage(batch);
        sqlite.traffic.recordUsage(batch);
      }
      while (sqlite.traffic.foldUsage(2_000).more) {
        // The next slice.
      }
      for (const folded of [false, true]) {
        if (folded) await foldAll(mongo, 4_000);
        for (const query of [
          { by: [], filter: {} },
          { by: ["client"], filter: {} },
          { by: ["hour"], filter: { service: "chat" } },
          { by: ["day", "status"], filter: { client: "c2" } },
          { by: ["model", "plan", "week"], filter: {} },
          { by: ["service"], filter: { since: START + 12_345_678 }, until: START + 3 * DAY_MS + 87_654 },
        ] satisfies readonly UsageReportQuery[]) {
          const [here, there] = [await mongo.usageReport(query), sqlite.traffic.usageReport(query)];
          assert.deepEqual(sortedRows(here), sortedRows(there), JSON.stringify(query));
          assert.deepEqual([here.since, here.until], [there.since, there.until]);
        }
      }
      await sqlite.close();
    });
  });

  describe("usage on a set of three whose primary goes", {
    skip: MONGOD === "" && (mongodbMissing || "needs a mongod of its own: AIGW_TEST_MONGOD"),
  }, () => {
    let set: ReplicaSet;
    let fixture: MongoTrafficFixture;
    before(async () => {
      set = await startReplicaSet(MONGOD);
      fixture = await mongoTrafficFixture("set", set.uri("aigw"));
    });
    after(async () => {
      await fixture.dispose();
      await set.stop();
      mongodbRan();
    });

    it("keeps every event that three gateways were told is stored, once, and shows it once", {
      timeout: 60_000,
    }, async () => {
      const gateways = [await fixture.open(), await fixture.open(), await fixture.open()];
      const reader = await fixture.open();
      const keeper = await fixture.open();
      let ended = false;
      const acknowledged: string[] = [];
      const writing = Promise.all(
        gateways.map(async (gateway) => {
          while (!ended) {
            const events = someEvents(4);
            await recordAtLast(gateway, events);
            acknowledged.push(...events.map(({ id }) => id));
            await delay(5);
          }
        }),
      );
      let [cursor, written] = ["0", false];
      const seen: string[] = [];
      const following = (async () => {
        for (let idle = false; !idle; ) {
          const page = await atLast(() => reader.usageAfter(cursor, {}, 50));
          cursor = page.cursor;
          seen.push(...page.events.map(({ id }) => id));
          idle = written && page.events.length === 0;
          if (page.events.length === 0) await delay(10);
        }
      })();
      const folding = (async () => {
        while (!ended) {
          await atLast(() => keeper.foldUsage(100));
          const known = acknowledged.length;
          const report = await atLast(() => keeper.usageReport({ by: ["client"], filter: {} }));
          assert.ok(requestsOf(report) >= known, `${requestsOf(report)} of ${known} at least`);
          await delay(20);
        }
      })();
      const more = (): Promise<unknown> => {
        const before = acknowledged.length;
        return until("events on record", () => acknowledged.length >= before + 40, 30_000);
      };
      await more();
      const first = await set.primary();
      await first.kill();
      await within("another primary", set.primary(), 30_000);
      await more();
      await first.restart();
      const second = await set.primary();
      assert.notEqual(second.port, first.port);
      const admin = await connectTo(`mongodb://127.0.0.1:${second.port}/?directConnection=true`);
      await admin
        .db("admin")
        .command({ replSetStepDown: 5, secondaryCatchUpPeriodSecs: 2 })
        .catch(() => undefined);
      await admin.close();
      await within("another primary", set.primary(), 30_000);
      await more();
      ended = true;
      await Promise.all([writing, folding]);
      written = true;
      await following;
      const stored = await idsOf(reader);
      assert.deepEqual(stored.toSorted(), acknowledged.toSorted());
      assert.deepEqual(seen, stored);
      await atLast(() => foldAll(keeper));
      assert.equal(requestsOf(await reader.usageReport({ by: [], filter: {} })), acknowledged.length);
      assert.ok(acknowledged.length > 100, `${acknowledged.length} events`);
    });
  });
});
