import { type Db, MongoClient, type MongoClientOptions } from "mongodb";
import { newDatabase } from "../../../../test/support/mongodb.ts";
import { TRAFFIC_INDEXES } from "../../src/store/mongodb/traffic/collections.ts";
import { MongoTraffic } from "../../src/store/mongodb/traffic/mongo-traffic.ts";
import { FixedClock } from "../../src/testing/index.ts";

/** The traffic part alone, without a store around it. */
export interface MongoTrafficFixture {
  readonly url: string;
  readonly db: Db;
  readonly clock: FixedClock;
  /** Another handle on the same database; each has connections of its own, as another process has. */
  open(): Promise<MongoTraffic>;
  /** Takes all data away: quicker than another database. Handles that were open are not to be used any more. */
  empty(): Promise<void>;
  dispose(): Promise<void>;
}

/** Bounded as the store's own connection is; a server that fell is found again as soon as the driver can. */
export const connectTo = (url: string, options: MongoClientOptions = {}): Promise<MongoClient> =>
  MongoClient.connect(url, {
    maxPoolSize: 10,
    serverSelectionTimeoutMS: 3_000,
    socketTimeoutMS: 4_500,
    connectTimeoutMS: 2_000,
    heartbeatFrequencyMS: 500,
    serverMonitoringMode: "poll",
    ...options,
  });

export const createTraffic = async (db: Db): Promise<void> => {
  for (const { collection, indexes } of TRAFFIC_INDEXES) {
    await db.createCollection(collection);
    for (const { name, key, options } of indexes)
      await db.collection(collection).createIndex(key, { name, ...options });
  }
};

/** @param url a database that is not there yet */
export const mongoTrafficFixture = async (
  kind: "standalone" | "set",
  url: string = newDatabase(kind).url,
): Promise<MongoTrafficFixture> => {
  const client = await connectTo(url);
  const db = client.db();
  await createTraffic(db);
  const clock = new FixedClock();
  const offset = clock.now() - clock.monotonic();
  const time = { now: () => offset + clock.monotonic() };
  const clients: MongoClient[] = [];
  let open = 0;
  return {
    url,
    db,
    clock,
    open: async () => {
      const own = clients[open] ?? (await connectTo(url));
      clients[open] = own;
      open += 1;
      return new MongoTraffic({ db: own.db(), time, clock });
    },
    empty: async () => {
      open = 0;
      const wait = { writeConcern: { w: "majority" as const } };
      await Promise.all(TRAFFIC_INDEXES.map(({ collection }) => db.collection(collection).deleteMany({}, wait)));
    },
    dispose: async () => {
      await db.dropDatabase();
      for (const each of [client, ...clients]) await each.close();
    },
  };
};
