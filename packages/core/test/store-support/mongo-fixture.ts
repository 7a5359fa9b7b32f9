import { newDatabase } from "../../../../test/support/mongodb.ts";
import { connectMongo } from "../../src/store/mongodb/connection.ts";
import { createMongoStore } from "../../src/store/mongodb/create-mongo-store.ts";
import { parseMongoUrl } from "../../src/store/mongodb/location.ts";
import { MongoStore } from "../../src/store/mongodb/mongo-store.ts";
import { FixedClock } from "../../src/testing/index.ts";
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
  const offset = clock.now() - clock.monotonic();
  const time = { now: () => offset + clock.monotonic() };
  return {
    url,
    clock,
    open: async () => MongoStore.open(await connectMongo(location), { clock, time }),
    dispose,
  };
};
