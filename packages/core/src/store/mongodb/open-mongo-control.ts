import type { Db } from "mongodb";
import { type Clock, systemClock } from "../../clock.ts";
import { AigwError } from "../../errors.ts";
import { MongoControl } from "./control.ts";
import { type ControlCollections, controlCollections, SCHEMA_VERSION, type StoreDocument } from "./control-schema.ts";
import { plantSeed } from "./create-mongo-store.ts";
import { translated } from "./translate-error.ts";

/**
 * Opens the store in a database, which must be there, and finishes what others were cut off from.
 * @throws AigwError `store_*`
 */
export const openMongoControl = async (db: Db, clock: Clock = systemClock): Promise<MongoControl> => {
  const collections = controlCollections(db);
  const store = await translated(() => collections.meta.findOne({ _id: "store" }));
  if (store === null)
    throw new AigwError(
      "store_unavailable",
      `The MongoDB database ${db.databaseName} holds no store of aigw. Check the database's name, or restore it from a backup.`,
    );
  assertKnownSchema(store);
  await plantSeed(collections, store);
  await raiseSchema(collections, store);
  const control = new MongoControl(db, store, clock);
  await control.eraseDue();
  return control;
};

/** What later versions of the layout add needs no step of its own: from here on an earlier aigw keeps off. */
const raiseSchema = async ({ meta }: ControlCollections, { schema }: StoreDocument): Promise<void> => {
  if (schema === SCHEMA_VERSION) return;
  const older = { _id: "store", schema: { $lt: SCHEMA_VERSION } } as const;
  await translated(() => meta.updateOne(older, { $set: { schema: SCHEMA_VERSION } }));
};

const assertKnownSchema = ({ schema }: StoreDocument): void => {
  if (schema <= SCHEMA_VERSION) return;
  throw new AigwError(
    "store_schema_newer",
    `The MongoDB store has schema version ${schema}, but this aigw knows versions up to ${SCHEMA_VERSION}. Use the newer aigw.`,
    { details: { found: schema, known: SCHEMA_VERSION } },
  );
};
