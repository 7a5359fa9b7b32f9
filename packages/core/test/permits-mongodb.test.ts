import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { MongoClient } from "mongodb";
import { type Mongod, type ReplicaSet, startReplicaSet } from "../../../test/support/mongod.ts";
import { MONGOD, mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import { until, within } from "../../../test/support/until.ts";
import { systemClock } from "../src/clock.ts";
import { isStoreFault } from "../src/errors.ts";
import { connectMongo, type MongoConnection } from "../src/store/mongodb/connection.ts";
import { parseMongoUrl } from "../src/store/mongodb/location.ts";
import { MongoTraffic } from "../src/store/mongodb/traffic/mongo-traffic.ts";
import { createTraffic } from "./store-support/mongo-traffic-fixture.ts";

const directly = async <T>({ port }: Mongod, work: (client: MongoClient) => Promise<T>): Promise<T> => {
  const client = await MongoClient.connect(`mongodb://127.0.0.1:${port}/?directConnection=true`);
  try {
    return await work(client);
  } finally {
    await client.close();
  }
};

describe("permits on a set of three", {
  skip: MONGOD === "" && (mongodbMissing || "needs a mongod of its own: AIGW_TEST_MONGOD"),
  concurrency: 1,
}, () => {
  let set: ReplicaSet;
  let connection: MongoConnection;
  let traffic: MongoTraffic;
  before(async () => {
    set = await startReplicaSet(MONGOD);
    connection = await connectMongo(parseMongoUrl(set.uri("aigw")));
    await createTraffic(connection.db);
    const { db, time, isLed } = connection;
    traffic = new MongoTraffic({ db, time, clock: systemClock, isLed });
  });
  after(async () => {
    await connection?.close();
    await set?.stop();
    mongodbRan();
  });
  const spent = (count: number) => ({ spent: [[traffic.steadyNow(), count] as const], leases: [] });
  const known = async (key: string): Promise<number | undefined> =>
    (await traffic.permitWindow(key))?.window.spent[0]?.[1];
  const secondaries = async (): Promise<readonly Mongod[]> => {
    const primary = await set.primary();
    return set.members.filter((member) => member !== primary);
  };

  it("can be read while many that the other members do not have yet are written", async () => {
    const stop = async (mode: "alwaysOn" | "off"): Promise<void> => {
      for (const member of await secondaries())
        await directly(member, (client) =>
          client.db("admin").command({ configureFailPoint: "stopReplProducer", mode }),
        );
    };
    await stop("alwaysOn");
    try {
      const keys = Array.from({ length: 30 }, (_, index) => `waiting-${index}`);
      const writes = Promise.allSettled(keys.map((key) => traffic.setPermitWindow(key, 0, spent(7))));
      await within(
        "what is written, read before it is confirmed",
        until("the last of them", async () => (await known(keys.at(-1) ?? "")) === 7),
        2_500,
      );
      for (const result of await within("the end of the writes", writes, 5_000))
        assert.ok(result.status === "rejected" && isStoreFault(result.reason), "none is confirmed");
    } finally {
      await stop("off");
    }
  });

  it("can be read while no server takes writes, and the newest of two that answer counts", {
    timeout: 60_000,
  }, async () => {
    const permits = connection.db.collection<{ _id: string; v: number; w: unknown }>("permits");
    await permits.insertOne({ _id: "read", v: 1, w: spent(3) }, { writeConcern: { w: 3 } });
    const [behind, ahead] = await secondaries();
    if (behind === undefined || ahead === undefined) throw new Error("no secondaries");
    // One of them lags, and the other makes the majority.
    await directly(behind, (client) =>
      client.db("admin").command({ configureFailPoint: "stopReplProducer", mode: "alwaysOn" }),
    );
    await permits.updateOne({ _id: "read" }, { $set: { v: 2, w: spent(5) } }, { writeConcern: { w: 2 } });
    for (const member of [behind, ahead])
      await directly(member, (client) => client.db("admin").command({ replSetFreeze: 60 }));
    await (await set.primary()).kill();
    await until("the driver to know that there is no primary", () => !connection.isLed());
    const from = performance.now();
    for (let turn = 0; turn < 10; turn += 1) assert.equal(await known("read"), 5);
    assert.ok(performance.now() - from < 2_500, "nobody waits for a primary");
    await assert.rejects(traffic.setPermitWindow("read", 2, spent(6)), isStoreFault);
    assert.equal(connection.isLed(), false);
  });
});
