import { newDatabase } from "../../../../test/support/mongodb.ts";
import { connectMongo, type MongoConnection } from "../../src/store/mongodb/connection.ts";
import { createMongoStore } from "../../src/store/mongodb/create-mongo-store.ts";
import { INDEXES } from "../../src/store/mongodb/indexes.ts";
import { type MongoLocation, parseMongoUrl } from "../../src/store/mongodb/location.ts";
import { MongoStore } from "../../src/store/mongodb/mongo-store.ts";
import type { StoreTime } from "../../src/store/mongodb/store-time.ts";
import { FixedClock, type StoreFixture } from "../../src/testing/index.ts";
import { SEED } from "./sqlite-fixture.ts";

export interface MongoFixture {
  readonly url: string;
  readonly clock: FixedClock;
  /** A handle with connections of its own, whose time is the fixture's clock's. */
  open(): Promise<MongoStore>;
  dispose(): Promise<void>;
}

/** A new store without changes, in a database of its own on the shared servers, or at a URL. */
export const mongoFixture = async (where: "standalone" | "set" | { readonly url: string }): Promise<MongoFixture> => {
  const { url } = typeof where === "string" ? newDatabase(where) : where;
  const location = parseMongoUrl(url);
  const own = await connectMongo(location);
  const dispose = async (): Promise<void> => {
    await own.db.dropDatabase();
    await own.close();
  };
  try {
    await createMongoStore(own.db, SEED);
  } catch (error) {
    await own.close();
    throw error;
  }
  const clock = new FixedClock();
  const time = timeBy(clock);
  return {
    url,
    clock,
    open: async () => MongoStore.open(await connectMongo(location), { clock, time }),
    dispose,
  };
};

/**
 * New stores, one after the other, in one database and over the same connections: making indexes, connecting and
 * dropping would take most of the time of tests that do little themselves.
 */
export class MongoFixtures {
  readonly #location: MongoLocation;
  readonly #connections: MongoConnection[] = [];

  constructor(kind: "standalone" | "set") {
    this.#location = parseMongoUrl(newDatabase(kind).url);
  }

  async next(): Promise<StoreFixture> {
    while (this.#connections.length < 3) this.#connections.push(await connectMongo(this.#location));
    const [own, ...handles] = this.#connections;
    if (own === undefined) throw new Error("not connected");
    await Promise.all(INDEXES.map(({ collection }) => own.db.collection(collection).deleteMany({})));
    await createMongoStore(own.db, SEED);
    const clock = new FixedClock();
    const time = timeBy(clock);
    let opened = 0;
    const open = (): Promise<MongoStore> => {
      const connection = handles[opened % handles.length] ?? own;
      opened += 1;
      return MongoStore.open({ ...connection, close: async () => undefined }, { clock, time });
    };
    return { open, clock, dispose: () => undefined };
  }

  async dispose(): Promise<void> {
    await this.#connections[0]?.db.dropDatabase();
    for (const connection of this.#connections) await connection.close();
  }
}

const timeBy = (clock: FixedClock): StoreTime => {
  const offset = clock.now() - clock.monotonic();
  return { now: () => offset + clock.monotonic() };
};
