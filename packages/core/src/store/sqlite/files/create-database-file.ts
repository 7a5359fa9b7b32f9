import { constants, copyFileSync, existsSync, linkSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { AigwError } from "../../../errors.ts";
import { createPrivateFile } from "../../../files/private-file.ts";
import { sweepStale } from "../../../files/sweep-stale.ts";
import { syncPath } from "../../../files/sync-path.ts";
import { translateFsError } from "../../../files/translate-fs-error.ts";
import { randomId } from "../../../random-id.ts";
import { Database } from "./database.ts";
import type { Schema } from "./migrations.ts";

/**
 * Creates a database at `path`, mode 0600, complete or not at all: it is built beside it and then linked into place,
 * which fails where a file is already. A process killed meanwhile leaves only a `.new-…` file, swept an hour later.
 * @returns false when there is a file at `path` already; it is left as it is
 * @throws AigwError `store_*`
 */
export const createDatabaseFile = (path: string, schema: Schema, fill: (db: Database) => void): boolean => {
  assertNoOrphan(path);
  const staged = `${path}.new-${randomId("", 10)}`;
  try {
    sweepStale(`${path}.new-`);
    createPrivateFile(staged);
    Database.build(staged, schema, fill);
    syncPath(staged);
    return placeNew(staged, path);
  } catch (error) {
    throw translateFsError(error, path);
  } finally {
    for (const file of [staged, `${staged}-wal`, `${staged}-shm`]) rmSync(file, { force: true });
  }
};

/** @returns false when there is a file at `path` already */
export const placeNew = (staged: string, path: string): boolean => {
  const linked = linkNew(staged, path);
  if (linked === "taken") return false;
  if (linked === "unsupported") {
    // Then the last step is not atomic, but still never over an existing file.
    if (existsSync(path)) return false;
    copyFileSync(staged, path, constants.COPYFILE_EXCL);
    syncPath(path);
  }
  syncPath(dirname(path));
  return true;
};

/** A second name for a file, which unlike a rename never replaces anything. Some file systems know no hard links. */
export const linkNew = (staged: string, path: string): "linked" | "taken" | "unsupported" => {
  try {
    linkSync(staged, path);
    return "linked";
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST") return "taken";
    if (code === "EPERM" || code === "ENOTSUP" || code === "ENOSYS") return "unsupported";
    throw error;
  }
};

/** SQLite would replay a log left behind by a lost database into the new one and so corrupt it. */
const assertNoOrphan = (path: string): void => {
  for (const orphan of [`${path}-wal`, `${path}-journal`]) {
    // Looked at in this order, since another process may just have created both.
    if (existsSync(orphan) && !existsSync(path)) {
      throw new AigwError(
        "store_unavailable",
        `${path} is missing, but ${orphan} is there. Restore the database beside it, or move ${orphan} away.`,
      );
    }
  }
};
