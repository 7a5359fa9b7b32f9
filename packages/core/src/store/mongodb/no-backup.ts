import { AigwError } from "../../errors.ts";

/** A backup file holds the embedded store's databases. */
export const backupElsewhere = (): AigwError =>
  new AigwError(
    "store_unsupported",
    "Backups by aigw are of the embedded store. Back a MongoDB store up and restore it with MongoDB's own tools, such as mongodump: see docs/mongodb.md.",
  );
