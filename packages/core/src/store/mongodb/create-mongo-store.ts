import type { Collection, Db } from "mongodb";
import { AigwError } from "../../errors.ts";
import type { StoreSeed } from "../engine.ts";
import { type ChangeDocument, effectDocument } from "./change-document.ts";
import {
  CONTROL_INDEXES,
  type ControlCollections,
  controlCollections,
  type Indexes,
  SCHEMA_VERSION,
  type StoreDocument,
} from "./control-schema.ts";
import { insertOnce } from "./insert-once.ts";
import { isDuplicateKey, translated } from "./translate-error.ts";

/** Indexes are made on collections that are empty, each waited for by a majority of the servers. */
const INDEX_PATIENCE_MS = 20_000;

/**
 * Creates a store in a database that holds none, complete or not at all: what makes it a store is one document, which
 * holds the first changes. Whoever is killed before leaves empty collections, which are used next time; whoever is killed
 * after leaves it to those who open the store to put the changes where they belong.
 * @returns false when there is a store already; it is left as it is
 * @throws AigwError `store_unsupported` when the database holds something else, `store_*`
 */
export const createMongoStore = async (db: Db, seed: StoreSeed): Promise<boolean> => {
  const collections = controlCollections(db);
  if ((await lookForStore(collections)) === "present") return false;
  await createIndexes(db, CONTROL_INDEXES);
  const { storeId, keyCheck, at, actor } = seed;
  const document: StoreDocument = {
    _id: "store",
    storeId,
    nonce: storeId,
    keyCheck,
    schema: SCHEMA_VERSION,
    seed: seed.changes.map((draft, index) => ({
      _id: index + 1,
      at,
      actor,
      nonce: storeId,
      effects: [effectDocument(draft)],
    })),
  };
  const isFirst = await insertOnce(collections.meta, document);
  if (isFirst) await plantSeed(collections, document);
  return isFirst;
};

/** @throws AigwError `store_unsupported`, `store_corrupt` when the database holds what aigw's creation does not leave */
export const lookForStore = async ({ changes, meta }: ControlCollections): Promise<"present" | "absent"> => {
  const [store, change] = await translated(() =>
    Promise.all([
      meta.findOne({ _id: "store" }, { projection: { _id: 1 } }),
      changes.findOne({}, { projection: { _id: 1 } }),
    ]),
  );
  if (store !== null) return "present";
  if (change === null) return "absent";
  throw new AigwError(
    "store_corrupt",
    `The MongoDB database ${changes.dbName} has changes, but its collection meta lacks the store's document. Restore it from a backup, or name another database.`,
  );
};

/** Puts the first changes into the log: each once, whoever does it and however often. */
export const plantSeed = async ({ changes, meta }: ControlCollections, { seed }: StoreDocument): Promise<void> => {
  if (seed === undefined) return;
  await translated(async () => {
    if (seed.length > 0) await insertMissing(changes, seed);
    await meta.updateOne({ _id: "store" }, { $unset: { seed: "" } });
  });
};

const insertMissing = async (changes: Collection<ChangeDocument>, seed: readonly ChangeDocument[]): Promise<void> => {
  try {
    await changes.insertMany([...seed], { ordered: false });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
};

/** Idempotent; creates the collections. */
export const createIndexes = async (db: Db, indexes: Indexes): Promise<void> => {
  const each = Object.entries(indexes).map(([name, specs]) => db.collection(name).createIndexes([...specs]));
  await translated(() => Promise.all(each), INDEX_PATIENCE_MS);
};
