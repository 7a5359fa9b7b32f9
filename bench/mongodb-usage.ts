import { parseArgs } from "node:util";
import { trafficCollections } from "../packages/core/src/store/mongodb/traffic/collections.ts";
import { MongoTraffic } from "../packages/core/src/store/mongodb/traffic/mongo-traffic.ts";
import { anEvent } from "../packages/core/src/testing/builders.ts";
import type { UsageReportQuery } from "../packages/core/src/usage/usage-report.ts";
import { connectTo, createTraffic } from "../packages/core/test/store-support/mongo-traffic-fixture.ts";
import { mongodUri, startMongod } from "../test/support/mongod.ts";

/**
 * What usage costs on MongoDB at scale: `node bench/mongodb-usage.ts --mongod <path of mongod> [--events 10000000]`, or
 * `--uri mongodb://…/a_new_database`. Prints a line for each figure. Takes a quarter of an hour for ten million events.
 */
const { values } = parseArgs({
  options: {
    mongod: { type: "string" },
    uri: { type: "string" },
    events: { type: "string", default: "10000000" },
  },
});
const say = (what: string, figure: string): void => void process.stdout.write(`${what}: ${figure}\n`);
const server = values.uri === undefined ? await startMongod(values.mongod ?? "mongod") : undefined;
const uri = values.uri ?? mongodUri(server?.port ?? 0, "aigw_bench");
const client = await connectTo(uri);
const db = client.db();
await createTraffic(db);
const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const traffic = new MongoTraffic({ db, time: { now: () => Date.now() }, clock });

const EVENTS = Number(values.events);
const [CLIENTS, DAYS, BATCH] = [200, 30, 200];
const DAY_MS = 86_400_000;
const START = Math.floor(Date.now() / DAY_MS - DAYS) * DAY_MS;
const STATUSES = [200, 200, 200, 200, 200, 200, 200, 200, 429, 502] as const;

const eventAt = (index: number) => {
  const status = STATUSES[index % STATUSES.length] ?? 200;
  return anEvent({
    id: `i_bench${index % 3}.${index.toString(36)}`,
    at: START + Math.floor((index / EVENTS) * DAYS * DAY_MS),
    // A few call most.
    client: `client-${Math.floor(CLIENTS * (((index * 7_919) % 1_000) / 1_000) ** 3)}`,
    service: index % 5 === 0 ? "chat" : "ocr",
    status,
    outcome: status === 200 ? "ok" : status === 429 ? "limited" : "upstream_error",
    latencyMs: (index * 31) % 900,
    requestId: `01JF${index.toString(36).padStart(12, "0")}`,
  });
};

const timed = async <T>(work: () => Promise<T>): Promise<readonly [ms: number, result: T]> => {
  const from = performance.now();
  const result = await work();
  return [performance.now() - from, result];
};
const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
const often = async (times: number, work: () => Promise<unknown>): Promise<number> => {
  const all: number[] = [];
  for (let turn = 0; turn < times; turn += 1) all.push((await timed(work))[0]);
  return median(all);
};

// Past the store's own code, which would wait for the journal at every batch.
const { usage } = trafficCollections(db);
const [fillMs] = await timed(async () => {
  for (let batch = 0; batch * BATCH < EVENTS; ) {
    const docs = [];
    for (; docs.length < 25 && batch * BATCH < EVENTS; batch += 1) {
      const e = Array.from({ length: BATCH }, (_, k) => ({ k, ...eventAt(batch * BATCH + k) }));
      docs.push({ _id: batch + 1, e });
    }
    await usage.insertMany(docs, { writeConcern: { w: 1, journal: false } });
  }
});
say("filled past the store", `${EVENTS} events in ${(fillMs / 1_000).toFixed(0)} s`);

const stats = async (
  name: string,
): Promise<{ size: number; storageSize: number; totalIndexSize: number; count: number }> =>
  (await db.command({ collStats: name })) as never;
const size = async (): Promise<void> => {
  await db.admin().command({ fsync: 1 });
  const { size: raw, storageSize, totalIndexSize } = await stats("usage");
  say(
    "bytes an event",
    `${(raw / EVENTS).toFixed(0)} as sent, ${(storageSize / EVENTS).toFixed(0)} on disk, ${(totalIndexSize / EVENTS).toFixed(0)} of indexes`,
  );
};
await size();

let folded = 0;
const fold = async (limit: number, most: number): Promise<string> => {
  const [ms, events] = await timed(async () => {
    let taken = 0;
    for (let more = true; more && taken < most; ) {
      const slice = await traffic.foldUsage(limit);
      taken += slice.events;
      ({ more } = slice);
    }
    return taken;
  });
  folded += events;
  return `${((events / ms) * 1_000).toFixed(0)} events/s (${events})`;
};
say("folding in slices of 2,000", await fold(2_000, 100_000));
say("folding the rest in slices of 20,000", await fold(20_000, Number.POSITIVE_INFINITY));
say("folded", String(folded));
for (const name of ["usage_hours", "usage_days", "usage_totals", "usage_day_totals", "usage_months"]) {
  const { count, storageSize, totalIndexSize } = await stats(name);
  say(name, `${count} records, ${((storageSize + totalIndexSize) / 1e6).toFixed(1)} MB`);
}

const report = async (what: string, query: UsageReportQuery): Promise<void> => {
  const [first] = await timed(() => traffic.usageReport(query));
  say(
    `report ${what}`,
    `${(await often(5, () => traffic.usageReport(query))).toFixed(0)} ms (first ${first.toFixed(0)} ms)`,
  );
};
const HOUR_MS = 3_600_000;
await report("of all by client", { by: ["client"], filter: {} });
await report("of all by day", { by: ["day"], filter: {} });
await report("of all by hour", { by: ["hour"], filter: {} });
await report("by day and client", { by: ["day", "client"], filter: {} });
await report("of one client by day", { by: ["day"], filter: { client: "client-7" } });
await report("of 10.5 hours by client", {
  by: ["client"],
  filter: { since: START + 5 * DAY_MS + 0.25 * HOUR_MS },
  until: START + 5 * DAY_MS + 10.75 * HOUR_MS,
});
const { cursor } = await traffic.latestUsage({}, 20);
say("newest 20", `${(await often(50, () => traffic.latestUsage({}, 20))).toFixed(1)} ms`);
say("tail's poll, nothing new", `${(await often(500, () => traffic.usageAfter(cursor, {}, 100))).toFixed(2)} ms`);
say(
  "newest 20 of a client that never called",
  `${(await timed(() => traffic.latestUsage({ client: "nobody" }, 20)))[0].toFixed(0)} ms`,
);
const span = { filter: { since: START + 3 * DAY_MS }, until: START + 4 * DAY_MS };
say("1,000 of a day by time", `${(await often(5, () => traffic.usageBetween(span, undefined, 1_000))).toFixed(0)} ms`);
const clients = Array.from({ length: CLIENTS }, (_, index) => `client-${index}`);
say("last use of 200 clients", `${(await often(20, () => traffic.lastUsage(clients))).toFixed(1)} ms`);
let next = EVENTS;
const batchOf = (count: number) => Array.from({ length: count }, () => eventAt(next++));
say("recording a batch of 1", `${(await often(100, () => traffic.recordUsage(batchOf(1)))).toFixed(2)} ms`);
say("recording a batch of 100", `${(await often(50, () => traffic.recordUsage(batchOf(100)))).toFixed(2)} ms`);
for (const limit of [100, 2_000]) {
  const [ms, events] = await timed(async () => {
    let pruned = 0;
    for (let slice = 0; slice < 10; slice += 1) pruned += (await traffic.pruneUsage(START + DAY_MS, limit)).events;
    return pruned;
  });
  say(
    `pruning in slices of ${limit}`,
    `${((events / ms) * 1_000).toFixed(0)} events/s (${(ms / 10).toFixed(1)} ms a slice)`,
  );
}
await client.close();
await server?.stop();
