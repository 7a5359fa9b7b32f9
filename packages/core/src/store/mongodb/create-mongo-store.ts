import type { Collection, Db } from "mongodb";
import { AigwError } from "../../errors.ts";
import type { StoreSeed, StoreState } from "../engine.ts";
import { type ChangeDocument, effectDocument } from "./change-document.ts";
import { type ControlCollections, controlCollections, SCHEMA_VERSION, type StoreDocument } from "./control-schema.ts";
import { createIndexes } from "./indexes.ts";
import { insertOnce } from "./insert-once.ts";
import { isDuplicateKey, translated } from "./translate-error.ts";

/**
 * Creates a store in a database that holds none, complete or not at all: what makes it a store is one document, which
 * holds the first changes. Whoever is killed before leaves empty collections, which are used next time; whoever is killed
 * after leaves it to those who open the store to put the changes where they belong.
 * @returns false when there is a store already; it is left as it is
 * @throws AigwError `store_*`
 */
export const createMongoStore = async (db: Db, seed: StoreSeed): Promise<boolean> => {
  const collections = controlCollections(db);
  const state = await lookForStore(collections);
  if (state === "present") return false;
  if (state !== "absent")
    throw new AigwError("store_corrupt", `${state.remains} Restore it, or name another database.`);
  await createIndexes(db);
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

/** What a database holds. Changes without the store's document are not what a creation leaves that was cut off. */
export const lookForStore = async ({ changes, meta }: ControlCollections): Promise<StoreState> => {
  const projection = { _id: 1 };
  const [store, change] = await translated(() =>
    Promise.all([meta.findOne({ _id: "store" }, { projection }), changes.findOne({}, { projection })]),
  );
  if (store !== null) return "present";
  if (change === null) return "absent";
  return {
    remains: `The MongoDB database ${changes.dbName} has changes, but no document "store" in its collection meta.`,
  };
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
