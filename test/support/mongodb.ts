import { randomBytes } from "node:crypto";
import { databaseUrl, dropDatabase, mongodbMissing, type Servers } from "./databases.ts";
import { NEEDS, reportNeed } from "./needs.ts";

export { mongodbMissing } from "./databases.ts";

/** Binary of a `mongod`, for tests that harm servers of their own; empty where there is none. */
export const MONGOD = process.env["AIGW_TEST_MONGOD"] ?? "";

if (mongodbMissing) reportNeed(NEEDS.mongodb, mongodbMissing);

/** To be called at the end of a test file, or of each test, that ran on MongoDB. */
export const mongodbRan = (): void => reportNeed(NEEDS.mongodb, undefined);

export interface TestDatabase {
  /** A store's URL: a database that is not there yet. */
  readonly url: string;
  drop(): Promise<void>;
}

/** A database of its own on the shared servers. */
export const newDatabase = (kind: Servers = "standalone"): TestDatabase => {
  const url = databaseUrl(kind, randomBytes(6).toString("hex"));
  return { url, drop: () => dropDatabase(url) };
};
