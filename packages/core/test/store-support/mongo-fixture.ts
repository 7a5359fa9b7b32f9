import { newDatabase, type TestDatabase } from "../../../../test/support/mongodb.ts";
import { systemClock } from "../../src/clock.ts";
import { connectMongo, type MongoConnection } from "../../src/store/mongodb/connection.ts";
import { createMongoStore } from "../../src/store/mongodb/create-mongo-store.ts";
import { parseMongoUrl } from "../../src/store/mongodb/location.ts";
import { SEED } from "./sqlite-fixture.ts";

export interface MongoFixture extends TestDatabase {
  connect(): Promise<MongoConnection>;
}

/** A new store without changes, in a database of its own. */
export const mongoFixture = async (kind: "standalone" | "set" = "standalone"): Promise<MongoFixture> => {
  const database = newDatabase(kind);
  const connect = (): Promise<MongoConnection> => connectMongo(parseMongoUrl(database.url), systemClock);
  const connection = await connect();
  await createMongoStore(connection.db, SEED);
  await connection.close();
  return { ...database, connect };
};
