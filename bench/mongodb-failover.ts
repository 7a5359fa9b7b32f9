import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Limiter } from "../packages/core/src/limits/limiter.ts";
import { connectMongo } from "../packages/core/src/store/mongodb/connection.ts";
import { MongoTraffic } from "../packages/core/src/store/mongodb/traffic/mongo-traffic.ts";
import { createTraffic } from "../packages/core/test/store-support/mongo-traffic-fixture.ts";
import { startReplicaSet } from "../test/support/mongod.ts";

/**
 * What a limit comes to when the primary steps down, is killed or frozen: `node bench/mongodb-failover.ts --mongod <path>
 * [--fault kill|freeze] [--times 5]`. Three limiters, each with a connection of its own, and clients of four kinds: whose
 * permits are known to all, to one alone, or hardly to anybody; half their limit is used when the fault comes, and they
 * go on at all of them. Admitted in all is what counts: everything happens within one window.
 */
const { values } = parseArgs({
  options: {
    mongod: { type: "string", default: "mongod" },
    fault: { type: "string", default: "step-down" },
    times: { type: "string", default: "5" },
  },
});
const [GATEWAYS, LIMIT, WINDOW_MS, CLIENTS, GAP_MS, AFTER_MS] = [3, 60, 60_000, 5, 100, 8_000];
const clock = { now: () => Date.now(), monotonic: () => performance.now() };

const set = await startReplicaSet(values.mongod);
const connections = await Promise.all(
  Array.from({ length: GATEWAYS }, () => connectMongo({ url: set.uri("aigw"), database: "aigw" } as never)),
);
const [first] = connections;
if (first === undefined) throw new Error("no connection");
await createTraffic(first.db);
const limiters = connections.map(
  ({ db, time, isLed }, rank) =>
    new Limiter({
      store: new MongoTraffic({ db, time, clock, isLed }),
      holder: `gateway-${rank}`,
      windowMs: WINDOW_MS,
      bundles: true,
      share: () => ({ of: GATEWAYS, rank }),
    }),
);
const sweeps = setInterval(() => {
  for (const limiter of limiters) void limiter.settle();
}, 250);

/** How the first half comes: which gateway each call goes to. */
const KINDS: Readonly<Record<string, (call: number) => number>> = {
  "known to all": (call) => call % GATEWAYS,
  "known to one": () => 0,
  "one call at each, then one gateway": (call) => (call < GATEWAYS ? call : 0),
};

for (let turn = 0; turn < Number(values.times); turn += 1) {
  const admitted = new Map<string, number>();
  let stopped = false;
  const call = async (key: string, gateway: number): Promise<void> => {
    const permit = await limiters[gateway]?.acquire(key, LIMIT);
    if (permit?.admitted) admitted.set(key, (admitted.get(key) ?? 0) + 1);
  };
  const keys = Object.keys(KINDS).flatMap((kind) =>
    Array.from({ length: CLIENTS }, (_, n) => [kind, `${kind} ${turn} ${n}`] as const),
  );
  await Promise.all(
    keys.map(async ([kind, key]) => {
      for (let n = 0; n < LIMIT / 2; n += 1) await call(key, KINDS[kind]?.(n) ?? 0);
    }),
  );
  const lanes = keys.flatMap(([, key]) =>
    limiters.map(async (_, gateway) => {
      await delay(Math.random() * GAP_MS);
      while (!stopped) {
        await call(key, gateway);
        await delay(GAP_MS);
      }
    }),
  );
  if (values.fault === "kill") {
    const primary = await set.primary();
    await primary.kill();
    await set.primary();
    await delay(3_000);
    await primary.restart();
  } else if (values.fault === "freeze") {
    const { process: frozen } = await set.primary();
    frozen.kill("SIGSTOP");
    await delay(8_000);
    frozen.kill("SIGCONT");
    await set.primary();
  } else await set.stepDown();
  await delay(AFTER_MS);
  stopped = true;
  await Promise.all(lanes);
  for (const kind of Object.keys(KINDS)) {
    const counts = keys.flatMap(([of, key]) => (of === kind ? [admitted.get(key) ?? 0] : []));
    process.stdout.write(`${values.fault} ${turn + 1}, ${kind}: ${counts.join(", ")} of ${LIMIT}\n`);
  }
}
clearInterval(sweeps);
for (const limiter of limiters) await limiter.close();
for (const connection of connections) await connection.close();
await set.stop();
