import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Limiter } from "../packages/core/src/limits/limiter.ts";
import type { PermitRecord } from "../packages/core/src/store/mongodb/traffic/collections.ts";
import { trafficCollections } from "../packages/core/src/store/mongodb/traffic/collections.ts";
import { MongoTraffic } from "../packages/core/src/store/mongodb/traffic/mongo-traffic.ts";
import { connectTo, createTraffic } from "../packages/core/test/store-support/mongo-traffic-fixture.ts";
import { startReplicaSet } from "../test/support/mongod.ts";

/**
 * What a permit waits for on a set of three at a rate that nothing is full at: `node bench/mongodb-take-permits.ts
 * --mongod <path> [--per-second 200] [--gateways 1]`. As it is, by compare-and-set, and as one operation of the server
 * would be (`findOneAndUpdate` with a pipeline that settles, counts and spends), in turn.
 */
const { values } = parseArgs({
  options: {
    mongod: { type: "string", default: "mongod" },
    "per-second": { type: "string", default: "200" },
    gateways: { type: "string", default: "3" },
    clients: { type: "string", default: "400" },
  },
});
const [PER_SECOND, GATEWAYS, CLIENTS] = [values["per-second"], values.gateways, values.clients].map(Number) as [
  number,
  number,
  number,
];
const [LIMIT, WINDOW_MS, SECONDS, ROUNDS] = [120, 60_000, 5, 3];

const set = await startReplicaSet(values.mongod);
const connections = await Promise.all(Array.from({ length: GATEWAYS }, () => connectTo(set.uri("aigw_permits"))));
const [first] = connections;
if (first === undefined) throw new Error("no connection");
await createTraffic(first.db());
let calls = 0;
const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const limiters = connections.map((client, index) => {
  const traffic = new MongoTraffic({ db: client.db(), time: { now: () => Date.now() }, clock });
  return new Limiter({
    store: {
      steadyNow: () => traffic.steadyNow(),
      permitWindow: (key) => {
        calls += 1;
        return traffic.permitWindow(key);
      },
      setPermitWindow: (...args) => {
        calls += 1;
        return traffic.setPermitWindow(...args);
      },
    },
    holder: `gateway-${index}`,
    windowMs: WINDOW_MS,
    bundles: true,
  });
});
const collections = connections.map((client) => trafficCollections(client.db()).permits);

/** The same in the server's own language, for permits without bundles. */
const takeOne = async (gateway: number, key: string): Promise<boolean> => {
  calls += 1;
  const now = Date.now();
  const of = (index: number): unknown => ({ $arrayElemAt: ["$$this", index] });
  const found = await collections[gateway]?.findOneAndUpdate(
    { _id: key },
    [
      {
        $set: {
          s: {
            $filter: { input: { $ifNull: ["$w.spent", []] }, cond: { $gt: [of(0), now - WINDOW_MS] } },
          },
        },
      },
      { $set: { got: { $cond: [{ $lt: [{ $sum: { $map: { input: "$s", in: of(1) } } }, LIMIT] }, 1, 0] } } },
      {
        $set: {
          w: {
            spent: { $cond: ["$got", { $concatArrays: ["$s", [[now, 1]]] }, "$s"] },
            leases: [],
          },
          v: { $add: [{ $ifNull: ["$v", 0] }, 1] },
          endsAt: now + WINDOW_MS,
        },
      },
      { $unset: "s" },
    ],
    { upsert: true, returnDocument: "after", projection: { got: 1 } },
  );
  return (found as (PermitRecord & { got?: number }) | null)?.got === 1;
};

const ways: Readonly<Record<string, (gateway: number, key: string) => Promise<boolean>>> = {
  "compare-and-set": async (gateway, key) => (await limiters[gateway]?.acquire(key, LIMIT))?.admitted === true,
  "one operation": takeOne,
};
const quantile = (all: readonly number[], q: number): string =>
  (all[Math.min(all.length - 1, Math.floor(all.length * q))] ?? 0).toFixed(1);

for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, take] of Object.entries(ways)) {
    const took: number[] = [];
    let [admitted, n] = [0, 0];
    calls = 0;
    const pending: Promise<void>[] = [];
    const start = performance.now();
    while (performance.now() < start + SECONDS * 1_000) {
      const due = start + (n * 1_000) / PER_SECOND;
      if (due > performance.now()) await delay(due - performance.now());
      const [gateway, client] = [n % GATEWAYS, Math.floor(Math.random() * CLIENTS)];
      n += 1;
      const one = async (): Promise<void> => {
        if (await take(gateway, `${name} ${client}`)) admitted += 1;
        took.push(performance.now() - due);
      };
      pending.push(one());
    }
    await Promise.all(pending);
    took.sort((a, b) => a - b);
    process.stdout.write(
      `${GATEWAYS} gateways, ${PER_SECOND}/s, ${name}: ${admitted} of ${n}, ${(calls / n).toFixed(2)} store calls each, p50 ${quantile(took, 0.5)} ms, p99 ${quantile(took, 0.99)} ms\n`,
    );
  }
}
for (const limiter of limiters) await limiter.close();
for (const client of connections) await client.close();
await set.stop();
