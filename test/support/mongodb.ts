import { randomBytes } from "node:crypto";
import { MongoClient } from "mongodb";
import { NEEDS, reportNeed } from "./needs.ts";

/**
 * The MongoDB servers of this run: scripts/test.ts starts them where `AIGW_TEST_MONGOD` names a `mongod`, which .ci/run
 * installs; `AIGW_TEST_MONGODB_URI` names any other, without a database.
 */
const URIS = {
  standalone: process.env["AIGW_TEST_MONGODB_URI"] ?? "",
  set: process.env["AIGW_TEST_MONGODB_SET_URI"] ?? process.env["AIGW_TEST_MONGODB_URI"] ?? "",
};

/** Binary of a `mongod`, for tests that harm servers of their own; empty where there is none. */
export const MONGOD = process.env["AIGW_TEST_MONGOD"] ?? "";

/** For tests that cannot do without: `test(…, { skip: mongodbMissing }, …)`. */
export const mongodbMissing: string | false =
  URIS.standalone === "" &&
  "neither AIGW_TEST_MONGOD (a mongod, which .ci/run installs) nor AIGW_TEST_MONGODB_URI (a server) is set";
if (mongodbMissing) reportNeed(NEEDS.mongodb, mongodbMissing);

/** To be called at the end of a test file, or of each test, that ran on MongoDB. */
export const mongodbRan = (): void => reportNeed(NEEDS.mongodb, undefined);

export interface TestDatabase {
  /** A store's URL: a database that is not there yet. */
  readonly url: string;
  drop(): Promise<void>;
}

/** A database of its own on the shared servers. */
export const newDatabase = (kind: keyof typeof URIS = "standalone"): TestDatabase => {
  // URL takes no list of hosts.
  const [, before = "", query = ""] = /^([^?]*?)\/?(\?.*)?$/.exec(URIS[kind]) ?? [];
  const url = `${before}/aigw_test_${randomBytes(6).toString("hex")}${query}`;
  const drop = async (): Promise<void> => {
    const client = await MongoClient.connect(url);
    await client.db().dropDatabase();
    await client.close();
  };
  return { url, drop };
};
