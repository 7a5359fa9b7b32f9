import { parseArgs } from "node:util";
import { Limiter } from "../packages/core/src/limits/limiter.ts";
import { MongoTraffic } from "../packages/core/src/store/mongodb/traffic/mongo-traffic.ts";
import { connectTo, createTraffic } from "../packages/core/test/store-support/mongo-traffic-fixture.ts";
import { mongodUri, startMongod, startReplicaSet } from "../test/support/mongod.ts";

/**
 * What permits cost on MongoDB when several gateways want those of one client at once:
 * `node bench/mongodb-permits.ts --mongod <path of mongod>`. 600 requests in parallel over three limiters, on a
 * standalone server and on a set of three.
 */
const { values } = parseArgs({ options: { mongod: { type: "string", default: "mongod" } } });
const [GATEWAYS, REQUESTS, WINDOW_MS, ROUNDS] = [3, 600, 60_000, 5];
const quantile = (all: readonly number[], q: number): string =>
  (all.toSorted((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * q))] ?? 0).toFixed(1);

const measure = async (what: string, url: string): Promise<void> => {
  const clients = await Promise.all(Array.from({ length: GATEWAYS }, () => connectTo(url)));
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const time = { now: () => Date.now() };
  await createTraffic(clients[0]?.db() as never);
  for (const limit of [60, 600]) {
    for (let round = 0; round < ROUNDS; round += 1) {
      let calls = 0;
      let refusedWrites = 0;
      const limiters = clients.map((client, index) => {
        const traffic = new MongoTraffic({ db: client.db(), time, clock });
        return new Limiter({
          store: {
            steadyNow: () => traffic.steadyNow(),
            permitWindow: (key) => {
              calls += 1;
              return traffic.permitWindow(key);
            },
            setPermitWindow: async (...args) => {
              calls += 1;
              const written = await traffic.setPermitWindow(...args);
              if (!written) refusedWrites += 1;
              return written;
            },
          },
          holder: `gateway-${index}`,
          windowMs: WINDOW_MS,
          bundles: true,
        });
      });
      const latencies: number[] = [];
      let admitted = 0;
      const key = `${limit}-${round}`;
      await Promise.all(
        Array.from({ length: REQUESTS }, async (_, index) => {
          const from = performance.now();
          const permit = await limiters[index % GATEWAYS]?.acquire(key, limit);
          latencies.push(performance.now() - from);
          if (permit?.admitted) admitted += 1;
        }),
      );
      process.stdout.write(
        `${what}, limit ${limit}: ${admitted} of ${REQUESTS} admitted, ${calls} store calls (${refusedWrites} lost the race), p50 ${quantile(latencies, 0.5)} ms, p99 ${quantile(latencies, 0.99)} ms\n`,
      );
      for (const limiter of limiters) await limiter.close();
    }
  }
  for (const client of clients) await client.close();
};

const one = await startMongod(values.mongod);
await measure("standalone", mongodUri(one.port, "aigw_permits"));
await one.stop();
const set = await startReplicaSet(values.mongod);
await measure("set of three", set.uri("aigw_permits"));
await set.stop();
