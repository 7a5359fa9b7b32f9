import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, it, test } from "node:test";
import { MONGOD, mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import { createSealer } from "../src/sealing/sealer.ts";
import type { TrafficStore } from "../src/store/store.ts";
import { anEvent } from "../src/testing/index.ts";
import { DAY_MS, HOUR_MS } from "../src/usage/report-plan.ts";
import { SealCheck } from "../src/usage/seal-check.ts";
import type { UsageEvent } from "../src/usage/usage-event.ts";
import { canonical, newestBatches, UsageSealer, usageMac } from "../src/usage/usage-seal.ts";
import { type UsageProof, type VerifyUsageOptions, verifyUsage } from "../src/usage/verify-usage.ts";
import { type MongoTrafficFixture, mongoTrafficFixture } from "./store-support/mongo-traffic-fixture.ts";
import { sqliteFixture } from "./store-support/sqlite-fixture.ts";

const DAY = Date.UTC(2027, 0, 10);
const STORE = "00000000-0000-4000-8000-000000000000";
const mac = usageMac(createSealer(new Uint8Array(32)), STORE);

/** What two gateways record in three days: batches of 7, with a meter and without; the second one drops three events. */
const recorded = (): readonly UsageEvent[] =>
  ["gw-one", "gw-two"].flatMap((gateway) => {
    const sealer = new UsageSealer(mac);
    const events = Array.from({ length: 70 }, (_, n) =>
      anEvent({
        id: `${gateway}.${(n + 1).toString(36)}`,
        at: DAY + n * HOUR_MS,
        client: n % 2 === 0 ? "john" : "mary",
        model: n % 3 === 0 ? "m" : "n",
        ...(n % 3 > 0 && { units: { pages: 1_500_000 + n }, metered: "yes", from: "answer", cost: n, plan: "pro" }),
        ...(n % 5 === 2 && { queuedMs: n / 4 }),
        ...(n % 10 === 4 && { status: 429, outcome: "limited", count: 5 }),
      }),
    ).filter((_, n) => gateway === "gw-one" || n < 30 || n > 32);
    return Array.from({ length: Math.ceil(events.length / 7) }, (_, batch) => {
      const some = events.slice(batch * 7, batch * 7 + 7);
      return [...some.slice(0, -1), sealer.seal(some)];
    }).flat();
  });

test("an event of before there was a field is sealed as it was then", () => {
  const event = anEvent({ id: "gw-one.1", at: 5, client: "john", cost: null, plan: "pro" });
  const text = canonical(event);
  // The form of the version before there were queues.
  assert.equal(
    text,
    JSON.stringify([
      ...["gw-one.1", 5, "john", event.service, event.method, event.path, event.status, event.latencyMs],
      ...[event.upstreamMs ?? null, event.bytesIn, event.bytesOut, event.requestId, event.outcome],
      ...[null, null, null, null, null, null, null, null, null, "pro"],
    ]),
  );
  assert.notEqual(canonical({ ...event, queuedMs: 0 }), text);
});

const foldAll = async (traffic: TrafficStore): Promise<void> => {
  while ((await traffic.foldUsage(1_000)).more) {
    // The next slice.
  }
};

const verified = (traffic: TrafficStore, options: { since?: number; mac?: typeof mac } = {}): Promise<UsageProof> =>
  verifyUsage({ traffic, mac, since: 0, until: DAY + 10 * DAY_MS, ...options });

/** `altered gw-one 8–14`. */
const wordsOf = ({ problems }: UsageProof): readonly string[] =>
  problems.map((problem) => {
    if (problem.kind === "foreign") return `foreign ${problem.id}`;
    if (problem.kind === "sums") return `sums ${problem.sums}`;
    return `${problem.kind} ${problem.gateway} ${problem.from}-${problem.to}`;
  });

const ONE = "id = 'gw-one.9'";
const set = (change: string, where = ONE): string => `UPDATE usage SET ${change} WHERE ${where}`;
/** Columns of the events but their number of storage. */
const COLUMNS = `at, client, service, method, path, status, latency_ms, upstream_ms, bytes_in, bytes_out, request_id, outcome,
  reason, count, units, metered, read_from, model, unread, cost, plan`;

/**
 * What somebody may do to a database, and what is named. Event 9 of the first gateway is in its second batch, of events 8
 * to 14, which is sealed in event 14, `gw-one.e`. What sums count as well is named by them, too.
 */
const WAYS: readonly (readonly [what: string, sql: string, named: RegExp, alsoSums?: true])[] = [
  ["another client", set("client = 'eve'"), /^altered gw-one 8-14/, true],
  ["another service", set("service = 'chat'"), /^altered gw-one 8-14/, true],
  ["another status", set("status = 500"), /^altered gw-one 8-14/, true],
  ["another outcome", set("outcome = 'denied'"), /^altered gw-one 8-14/, true],
  ["another path", set("path = '/api/other'"), /^altered gw-one 8-14/],
  ["another request id", set("request_id = 'r'"), /^altered gw-one 8-14/],
  ["another time within the hour", set("at = at + 1"), /^altered gw-one 8-14/],
  ["another day", set(`at = at + ${DAY_MS}`), /^altered gw-one 8-14/, true],
  ["a time to come", set(`at = at + ${100 * DAY_MS}`), /^missing gw-one 8-14/, true],
  ["less latency", set("latency_ms = 1"), /^altered gw-one 8-14/, true],
  ["fewer bytes", set("bytes_out = 1"), /^altered gw-one 8-14/, true],
  ["fewer units", set(`units = '{"pages":1}'`), /^altered gw-one 8-14/, true],
  ["a unit more", set(`units = '{"pages":1500008,"free":1}'`), /^altered gw-one 8-14/, true],
  ["no cost", set("cost = 0"), /^altered gw-one 8-14/, true],
  ["no price", set("cost = -1"), /^altered gw-one 8-14/, true],
  ["another plan", set("plan = NULL"), /^altered gw-one 8-14/, true],
  ["another model", set("model = 'x'"), /^altered gw-one 8-14/, true],
  ["fewer requests", set("count = 1", "id = 'gw-one.f'"), /^altered gw-one 15-21/, true],
  ["one event less", `DELETE FROM usage WHERE ${ONE}`, /^missing gw-one 8-14/, true],
  ["the first event less", "DELETE FROM usage WHERE id = 'gw-one.1'", /^missing gw-one 1-7/, true],
  [
    "a whole batch less",
    "DELETE FROM usage WHERE id IN ('gw-one.8', 'gw-one.9', 'gw-one.a', 'gw-one.b', 'gw-one.c', 'gw-one.d', 'gw-one.e')",
    /^missing gw-one 8-14/,
    true,
  ],
  ["a whole gateway less", "DELETE FROM usage WHERE id LIKE 'gw-one.%'", /^sums hours/, true],
  [
    "one event of a batch that had dropped some less",
    "DELETE FROM usage WHERE id = 'gw-two.z'",
    /^missing gw-two 29-38/,
    true,
  ],
  [
    "a dropped event made up",
    `INSERT INTO usage (id, ${COLUMNS}) SELECT 'gw-two.v', ${COLUMNS} FROM usage WHERE ${ONE}`,
    /^altered gw-two 29-38/,
  ],
  [
    "an event more, behind the last",
    `INSERT INTO usage (id, ${COLUMNS}) SELECT 'gw-one.zz', ${COLUMNS} FROM usage WHERE ${ONE}`,
    /^unsealed gw-one 1295-1295/,
  ],
  [
    "an event twice, as another gateway's",
    `INSERT INTO usage (id, ${COLUMNS}) SELECT 'gw-six.1', ${COLUMNS} FROM usage WHERE ${ONE}`,
    /^unsealed gw-six 1-1/,
  ],
  [
    "an event twice, under another writing of its number",
    `INSERT INTO usage (id, ${COLUMNS}) SELECT 'gw-one.09', ${COLUMNS} FROM usage WHERE ${ONE}`,
    /^repeated gw-one 9-9/,
  ],
  [
    "an event with an id of no gateway",
    `INSERT INTO usage (id, ${COLUMNS}) SELECT 'made-up', ${COLUMNS} FROM usage WHERE ${ONE}`,
    /^foreign made-up/,
  ],
  [
    "two events that changed places",
    `UPDATE usage SET id = 'x' WHERE ${ONE}; UPDATE usage SET id = 'gw-one.9' WHERE id = 'gw-one.a'; UPDATE usage SET id = 'gw-one.a' WHERE id = 'x'`,
    /^altered gw-one 8-14/,
  ],
  ["a seal less", "UPDATE usage SET seal = NULL WHERE id = 'gw-one.e'", /^missing gw-one 8-14.*unsealed gw-one 8-14/],
  [
    "a seal of another batch",
    "UPDATE usage SET seal = (SELECT seal FROM usage WHERE id = 'gw-one.l') WHERE id = 'gw-one.e'",
    /^altered gw-one 14-14/,
  ],
  [
    "a seal of the other gateway",
    "UPDATE usage SET seal = (SELECT seal FROM usage WHERE id = 'gw-two.e') WHERE id = 'gw-one.e'",
    /^altered gw-one 8-14/,
  ],
  [
    "a seal that says that events were dropped",
    `DELETE FROM usage WHERE ${ONE}; UPDATE usage SET seal = replace(seal, '8 0 ', '8 1 ') WHERE id = 'gw-one.e'`,
    /^altered gw-one 8-14/,
    true,
  ],
  ["nonsense for a seal", "UPDATE usage SET seal = 'x' WHERE id = 'gw-one.e'", /^altered gw-one 14-14/],
  [
    "fewer requests in a sum by hour",
    "UPDATE usage_hours SET requests = requests - 1 WHERE period = (SELECT min(period) FROM usage_hours)",
    /^sums hours/,
  ],
  ["a sum by day less", "DELETE FROM usage_days WHERE client = 'john'", /^sums days/],
  ["more cost in the sums by day", "UPDATE usage_days_worth SET whole = whole + 1 WHERE unit = 'cost'", /^sums days/],
  [
    "fewer units in the sums of all clients",
    "UPDATE usage_totals_worth SET millionths = millionths - 1 WHERE unit = 'pages'",
    /^sums totals/,
  ],
  [
    "a request more in the days of all clients",
    "UPDATE usage_day_totals SET requests = requests + 1",
    /^sums dayTotals/,
  ],
  [
    "a unit less in the days of all clients",
    "UPDATE usage_day_totals_worth SET whole = whole - 1 WHERE unit = 'pages'",
    /^sums dayTotals/,
  ],
  ["units less in the sums by hour", "DELETE FROM usage_hours_worth WHERE unit = 'pages'", /^sums hours/],
  ["a request more in the sums by month", "UPDATE usage_months SET requests = requests + 1", /^sums months/],
  ["units less in the sums by month", "DELETE FROM usage_months_worth WHERE unit = 'pages'", /^sums months/],
  ["another latency in a sum", "UPDATE usage_totals SET l3 = l3 + 1, l7 = l7 - 1", /^sums totals/],
  ["other calls without a price in a sum", "UPDATE usage_days SET unpriced = unpriced + 1", /^sums days/],
];

describe("usage verify", () => {
  it("finds nothing wrong where nothing is, folded or not, and says what it compared", async () => {
    const { open } = sqliteFixture();
    const { traffic } = open();
    const events = recorded();
    // Stored in another order than numbered: what was spooled comes late.
    traffic.recordUsage(events.toReversed());
    for (let turn = 0; turn < 2; turn += 1) {
      const { sums, since, until, ...proof } = await verified(traffic);
      assert.deepEqual(proof, { events: 137, batches: 20, dropped: 3, unproven: 0, problems: [] });
      assert.ok(sums > 100);
      assert.deepEqual([since, until], [DAY, DAY + 10 * DAY_MS]);
      await foldAll(traffic);
    }
    assert.deepEqual(await verified(traffic, { since: DAY + 1.5 * DAY_MS }).then(wordsOf), []);
    // Without the key nothing can be sealed, nor proven.
    const other = usageMac(createSealer(new Uint8Array(32).fill(1)), STORE);
    assert.equal((await verified(traffic, { mac: other })).problems.length, 20);
  });

  it("takes nothing for added that came once more, in whatever order batches were complete", () => {
    const check = new SealCheck(mac, 0);
    const sealer = new UsageSealer(mac);
    const events = Array.from({ length: 8 }, (_, n) => anEvent({ id: `gw-one.${n + 1}`, at: DAY + n }));
    const early = [...events.slice(0, 3), sealer.seal(events.slice(0, 4))];
    const late = [...events.slice(4, 7), sealer.seal(events.slice(4))];
    // Long calls, which began first, are recorded last.
    for (const event of [...late, ...early]) check.take(event);
    // Stored while it read: they were among those.
    for (const event of [late[1], early[1], ...late]) check.take(event as UsageEvent, true);
    check.finish();
    assert.deepEqual([check.problems, check.events, check.batches], [[], 8, 2]);
    check.take(late[1] as UsageEvent);
    assert.deepEqual(check.problems, [{ kind: "repeated", gateway: "gw-one", from: 6, to: 6 }]);
  });

  it("knows what was pruned from what was removed", async () => {
    const { open } = sqliteFixture();
    const { traffic } = open();
    traffic.recordUsage(recorded());
    // A call that took ten hours, recorded together with others of another day.
    const late = Array.from({ length: 3 }, (_, n) =>
      anEvent({ id: `gw-long.${n + 1}`, at: DAY + DAY_MS + (n === 1 ? -5 : 5) * HOUR_MS }),
    );
    traffic.recordUsage([...late.slice(0, 2), new UsageSealer(mac).seal(late)]);
    await foldAll(traffic);
    while (traffic.pruneUsage(DAY + DAY_MS, 1_000).more) {
      // The next slice.
    }
    const proof = await verified(traffic);
    assert.deepEqual(proof.problems, []);
    assert.equal(proof.since, DAY + DAY_MS);
    traffic.database().run("DELETE FROM usage WHERE id = 'gw-one.1q'");
    assert.deepEqual(wordsOf(await verified(traffic)).slice(0, 1), ["missing gw-one 57-63"]);
  });

  it("does not miss what a gateway recorded before it was idle for days, once that is pruned or not asked for", async () => {
    const { open } = sqliteFixture();
    const { traffic } = open();
    const sealer = new UsageSealer(mac);
    for (const [number, day] of [
      [1, 0],
      [2, 5],
      [3, 6],
    ] as const)
      traffic.recordUsage([sealer.seal([anEvent({ id: `gw-idle.${number}`, at: DAY + day * DAY_MS })])]);
    assert.deepEqual(wordsOf(await verified(traffic, { since: DAY + DAY_MS })), []);
    await foldAll(traffic);
    while (traffic.pruneUsage(DAY + 2 * DAY_MS, 1_000).more) {
      // The next slice.
    }
    assert.deepEqual(wordsOf(await verified(traffic)), []);
    traffic.database().run("DELETE FROM usage WHERE id = 'gw-idle.2'");
    // Of its beginning nothing else tells; the sums do.
    assert.deepEqual(wordsOf(await verified(traffic)), ["sums hours", "sums days", "sums totals", "sums dayTotals"]);
  });

  it("misses a gateway, or its last batches, that another one has named, with its sums or without", async () => {
    const one = recorded().filter(({ id }) => id.startsWith("gw-one."));
    const sealer = new UsageSealer(mac);
    const next = (number: number, hours: number): UsageEvent =>
      sealer.seal([anEvent({ id: `gw-next.${number}`, at: DAY + hours * HOUR_MS })]);
    sealer.noteOthers(newestBatches([...one, ...recorded()], "gw-two"));
    const [first, second] = [next(1, 71), next(2, 72)];
    assert.match(first.seal ?? "", /^1 0 \d+ {2}[\w-]+ gw-one\.1y:\d+:[\w-]+$/);
    assert.match(second.seal ?? "", /^2 0 \d+ [\w-]+ [\w-]+$/, "once");
    const problemsWith = async (events: readonly UsageEvent[], since = 0): Promise<readonly string[]> => {
      const { traffic } = sqliteFixture().open();
      traffic.recordUsage([...events, first, second]);
      await foldAll(traffic);
      return wordsOf(await verified(traffic, { since }));
    };
    assert.deepEqual(await problemsWith(one), []);
    // As if it had never been there: the sums are those of the rest.
    assert.deepEqual(await problemsWith([]), ["missing gw-one 1-70"]);
    assert.deepEqual(await problemsWith(one.slice(0, 56)), ["missing gw-one 57-70"]);
    assert.deepEqual(await problemsWith(one.slice(0, 68)), ["unsealed gw-one 64-68", "missing gw-one 69-70"]);
    // What may be pruned is not missed, and what is asked for is.
    assert.deepEqual(await problemsWith([], DAY + 3 * DAY_MS), []);
    assert.deepEqual(await problemsWith([], DAY + 1), ["missing gw-one 70-70"]);
    const forged = { ...first, seal: first.seal?.replace("1y:", "1z:") ?? "" };
    const { traffic } = sqliteFixture().open();
    traffic.recordUsage([...one, forged, second]);
    assert.deepEqual(wordsOf(await verified(traffic)), ["altered gw-next 1-1", "missing gw-one 71-71"]);
  });

  it("says what nothing proves: events of before there were seals", async () => {
    const { open } = sqliteFixture();
    const { traffic } = open();
    traffic.recordUsage(Array.from({ length: 9 }, (_, n) => anEvent({ id: `gw-old.${n + 1}`, at: DAY - HOUR_MS + n })));
    assert.deepEqual([(await verified(traffic)).unproven, (await verified(traffic)).problems], [9, []]);
    traffic.recordUsage(recorded());
    assert.deepEqual([(await verified(traffic)).unproven, (await verified(traffic)).problems], [9, []]);
  });

  it("seals an event the same before it was stored and after, whatever a service calls its model", async () => {
    const { open } = sqliteFixture();
    const { traffic } = open();
    const odd = ["a\ud800b", "\n\u0000", "läma 3", "a b"].map((model, n) =>
      anEvent({
        id: `gw-one.${n + 1}`,
        at: DAY,
        model,
        units: { b: 0, a: 10 ** 15 },
        metered: "yes",
        latencyMs: 0.1 + 0.2,
      }),
    );
    traffic.recordUsage([...odd.slice(0, -1), new UsageSealer(mac).seal(odd)]);
    assert.deepEqual((await verified(traffic)).problems, []);
  });

  it("is not misled by what is recorded and summed up meanwhile", async () => {
    const { open } = sqliteFixture();
    const { traffic } = open();
    traffic.recordUsage(recorded());
    const sealer = new UsageSealer(mac);
    let reads = 0;
    const busy: VerifyUsageOptions["traffic"] = {
      latestUsage: (filter, limit) => traffic.latestUsage(filter, limit),
      usageAfter: (cursor, filter, limit) => traffic.usageAfter(cursor, filter, limit),
      usageReport: (query) => traffic.usageReport(query),
      usageBetween: (span, cursor, limit) => {
        const page = traffic.usageBetween(span, cursor, limit);
        reads += 1;
        // Two calls of the day that was just read, recorded with one of now.
        const batch = [0, 1, 2].map((n) =>
          anEvent({
            id: `gw-new.${(3 * reads + n - 2).toString(36)}`,
            at: n < 2 ? Math.max(DAY, span.filter.since ?? 0) + n : DAY + 4 * DAY_MS,
          }),
        );
        traffic.recordUsage([...batch.slice(0, -1), sealer.seal(batch)]);
        traffic.foldUsage(10);
        return page;
      },
    };
    const proof = await verifyUsage({ traffic: busy, mac, since: 0, until: DAY + 5 * DAY_MS });
    assert.deepEqual(proof.problems, []);
    assert.ok(reads > 5);
  });

  it(`names each of ${WAYS.length} ways to alter a database`, async () => {
    const { open } = sqliteFixture();
    const store = open();
    store.traffic.recordUsage(recorded());
    await foldAll(store.traffic);
    const { path } = store.traffic.database();
    const raw = new DatabaseSync(path);
    const tables = ["usage", "usage_hours", "usage_days", "usage_totals", "usage_day_totals", "usage_months"];
    const all = [...tables, ...tables.slice(1).map((name) => `${name}_worth`)];
    for (const name of all) raw.exec(`CREATE TEMP TABLE kept_${name} AS SELECT * FROM ${name}`);
    for (const [what, sql, named, alsoSums] of WAYS) {
      raw.exec(sql);
      const words = wordsOf(await verified(store.traffic));
      assert.match(words.join(), named, what);
      if (alsoSums) assert.match(words.join(), /sums hours/, what);
      else if (!named.source.includes("sums")) assert.doesNotMatch(words.join(), /sums/, what);
      for (const name of all) raw.exec(`DELETE FROM ${name}; INSERT INTO ${name} SELECT * FROM kept_${name}`);
      assert.deepEqual(wordsOf(await verified(store.traffic)), [], `${what}, put right`);
    }
    raw.close();
    await store.close();
  });
});

describe("usage verify on MongoDB", { skip: MONGOD === "" && mongodbMissing }, () => {
  let fixture: MongoTrafficFixture;
  before(async () => {
    fixture = await mongoTrafficFixture("standalone");
  });
  after(async () => {
    await fixture.dispose();
    mongodbRan();
  });

  it("proves what is as it was, and names what is not", async () => {
    const traffic = await fixture.open();
    const events = recorded();
    await traffic.recordUsage(events);
    await foldAll(traffic);
    const { sums: _sums, since: _since, until: _until, ...proof } = await verified(traffic);
    assert.deepEqual(proof, { events: 137, batches: 20, dropped: 3, unproven: 0, problems: [] });
    const usage = fixture.db.collection("usage");
    const days = fixture.db.collection("usage_days");
    const its = { "e.id": "gw-one.9" };
    await usage.updateOne(its, { $set: { "e.$.cost": 0 } });
    assert.match(wordsOf(await verified(traffic)).join(), /^altered gw-one 8-14,.*sums hours/);
    await usage.updateOne(its, { $set: { "e.$.cost": 8 } });
    assert.deepEqual(wordsOf(await verified(traffic)), []);
    await days.updateOne({}, { $inc: { n: 1 } });
    // With which those by month are compared.
    assert.deepEqual(wordsOf(await verified(traffic)), ["sums days", "sums months"]);
    await days.updateOne({}, { $inc: { n: -1 } });
    await fixture.db.collection("usage_months").updateOne({}, { $inc: { n: 1 } });
    assert.deepEqual(wordsOf(await verified(traffic)), ["sums months"]);
    await fixture.db.collection("usage_months").updateOne({}, { $inc: { n: -1 } });
    await fixture.db.collection("usage_day_totals").updateOne({}, { $inc: { out: 1 } });
    assert.deepEqual(wordsOf(await verified(traffic)), ["sums dayTotals"]);
    await fixture.db.collection("usage_day_totals").updateOne({}, { $inc: { out: -1 } });
    await usage.updateOne(its, { $pull: { e: { id: "gw-one.9" } } } as never);
    assert.match(wordsOf(await verified(traffic)).join(), /^missing gw-one 8-14,.*sums hours/);
  });
});
