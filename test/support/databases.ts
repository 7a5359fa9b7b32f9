/**
 * The MongoDB servers of this run: scripts/test.ts starts them where `AIGW_TEST_MONGOD` names a `mongod`, which .ci/run
 * installs; `AIGW_TEST_MONGODB_URI` names any other, without a database.
 */
const URIS = {
  standalone: process.env["AIGW_TEST_MONGODB_URI"] ?? "",
  set: process.env["AIGW_TEST_MONGODB_SET_URI"] ?? process.env["AIGW_TEST_MONGODB_URI"] ?? "",
};

export type Servers = keyof typeof URIS;

/** For tests that cannot do without: `test(…, { skip: mongodbMissing }, …)`. */
export const mongodbMissing: string | false =
  URIS.standalone === "" &&
  "neither AIGW_TEST_MONGOD (a mongod, which .ci/run installs) nor AIGW_TEST_MONGODB_URI (a server) is set";
/** A store's URL on the shared servers: a database that is there when something is written into it. */
export const databaseUrl = (kind: Servers, name: string): string => {
  // URL takes no list of hosts.
  const [, before = "", query = ""] = /^([^?]*?)\/?(\?.*)?$/.exec(URIS[kind]) ?? [];
  return `${before}/aigw_test_${name}${query}`;
};

export const dropDatabase = async (url: string): Promise<void> => {
  // Loaded on demand: every test file that starts a gateway imports this one.
  const { MongoClient } = await import("mongodb");
  const client = await MongoClient.connect(url);
  await client.db().dropDatabase();
  await client.close();
};
