import type { Db, IndexDescription } from "mongodb";
import { CONTROL_INDEXES } from "./control-schema.ts";
import { type CollectionIndexes, TRAFFIC_INDEXES } from "./traffic/collections.ts";
import { translated } from "./translate-error.ts";

/** A majority of the servers makes each. Where there is data already, the server goes on by itself after this. */
const PATIENCE_MS = 20_000;

/** Every collection of a store, with its indexes beside `_id`. docs/mongodb.md lists them. */
export const INDEXES: readonly CollectionIndexes[] = [
  ...CONTROL_INDEXES,
  { collection: "meta", indexes: [] },
  ...TRAFFIC_INDEXES,
];

/** Those that are missing. The other collections come to be with their first document. */
export const createIndexes = async (db: Db): Promise<void> => {
  const each = INDEXES.filter(({ indexes }) => indexes.length > 0).map(({ collection, indexes }) =>
    db
      .collection(collection)
      .createIndexes(
        indexes.map(({ name, key, options }) => ({ name, key: key as IndexDescription["key"], ...options })),
      ),
  );
  await translated(() => Promise.all(each), PATIENCE_MS);
};
