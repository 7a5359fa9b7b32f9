import type { StoreSeed } from "../../engine.ts";
import { createDatabaseFile } from "../files/create-database-file.ts";
import { appendChange } from "./control.ts";
import { CONTROL_SCHEMA } from "./control-schema.ts";

/** @returns false when `path` exists already; then nothing was done */
export const createSqliteStore = (path: string, seed: StoreSeed): boolean =>
  createDatabaseFile(path, CONTROL_SCHEMA, (db) => {
    db.run("INSERT INTO meta VALUES ('store_id', ?), ('key_check', ?)", seed.storeId, seed.keyCheck);
    for (const [rev, draft] of seed.changes.entries()) appendChange(db, rev, [draft], seed);
  });
