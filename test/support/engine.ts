import { createHash } from "node:crypto";
import { databaseUrl, dropDatabase, mongodbMissing } from "./databases.ts";

/**
 * Which engine the homes of a test have: `AIGW_TEST_ENGINE=mongodb` runs the same stories on the servers of
 * databases.ts, each home with a database of its own; without it the store is the file in the home.
 */
const ON_MONGODB = process.env["AIGW_TEST_ENGINE"] === "mongodb";
if (ON_MONGODB && mongodbMissing) throw new Error(`AIGW_TEST_ENGINE=mongodb, but ${mongodbMissing}`);

/** For what only the files of the embedded store can show: `test(…, { skip: needsFiles }, …)`. */
export const needsFiles: string | false = ON_MONGODB && "it is about the files of the embedded store";

/** For what sets the clock that the embedded store goes by: MongoDB's own goes on. */
export const needsOwnClock: string | false = ON_MONGODB && "the store's time is the server's";

const placed = new Map<string, string>();

/** A home whose store is on servers of the test's own, which it may harm; they go with the test. */
export const placeStore = (home: string, url: string): void => {
  placed.set(home, url);
};

/** The store that belongs to a home; undefined for the file in it. */
export const storeUrlOf = (home: string): string | undefined =>
  placed.has(home)
    ? placed.get(home)
    : ON_MONGODB
      ? databaseUrl("set", createHash("sha256").update(home).digest("hex").slice(0, 12))
      : undefined;

/** Removes a home's store, as far as removing its folder does not. */
export const dropStoreOf = async (home: string): Promise<void> => {
  const url = storeUrlOf(home);
  if (url !== undefined && !placed.has(home)) await dropDatabase(url);
};
