import { type Db, MongoClient } from "mongodb";
import { newDatabase } from "../../../../test/support/mongodb.ts";
import { type CollectionIndexes, TRAFFIC_INDEXES } from "../../src/store/mongodb/traffic/collections.ts";
import { MongoTraffic } from "../../src/store/mongodb/traffic/mongo-traffic.ts";
import { FixedClock } from "../../src/testing/index.ts";

export interface MongoTrafficFixture {
  readonly url: string;
  readonly db: Db;
  readonly clock: FixedClock;
  /** Another handle on the same database, with connections of its own, as another process has it. */
  open(): Promise<OpenedTraffic>;
  dispose(): Promise<void>;
}

export interface OpenedTraffic {
  readonly traffic: MongoTraffic;
  readonly client: MongoClient;
}

export const createTrafficIndexes = async (
  db: Db,
  all: readonly CollectionIndexes[] = TRAFFIC_INDEXES,
): Promise<void> => {
  await Promise.all(
    all.map(async ({ collection, indexes }) => {
      await db.createCollection(collection);
      for (const { name, key, options } of indexes)
        await db.collection(collection).createIndex(key, { name, ...options });
    }),
  );
};

/** Bounded as the store's own connection is. */
export const connectTo = (url: string): Promise<MongoClient> =>
  MongoClient.connect(url, { maxPoolSize: 10, serverSelectionTimeoutMS: 10_000, socketTimeoutMS: 5_000 });

/** Of the traffic part alone, without a store around it. @param url a database that is not there yet */
export const mongoTrafficFixture = async (
  kind: "standalone" | "set",
  url: string = newDatabase(kind).url,
): Promise<MongoTrafficFixture> => {
  const client = await connectTo(url);
  const db = client.db();
  await createTrafficIndexes(db);
  const clock = new FixedClock();
  const [start, from] = [clock.now(), clock.monotonic()];
  const time = { now: () => start + clock.monotonic() - from };
  const clients = [client];
  return {
    url,
    db,
    clock,
    open: async () => {
      const own = await connectTo(url);
      clients.push(own);
      return { client: own, traffic: new MongoTraffic({ db: own.db(), time, clock }) };
    },
    dispose: async () => {
      await db.dropDatabase();
      for (const each of clients) await each.close();
    },
  };
};
