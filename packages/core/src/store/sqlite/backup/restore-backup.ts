import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { AigwError } from "../../../errors.ts";
import { sweepStale } from "../../../files/sweep-stale.ts";
import { syncPath } from "../../../files/sync-path.ts";
import { translateFsError } from "../../../files/translate-fs-error.ts";
import { randomId } from "../../../random-id.ts";
import type { RestoredFacts, RestoreOptions } from "../../maintenance.ts";
import { SqliteControl } from "../control/control.ts";
import { CONTROL_SCHEMA } from "../control/control-schema.ts";
import { placeNew } from "../files/create-database-file.ts";
import { Database } from "../files/database.ts";
import type { Schema } from "../files/migrations.ts";
import { usagePathOf } from "../files/paths.ts";
import { TRAFFIC_SCHEMA } from "../traffic/traffic-schema.ts";
import { readMeta } from "./facts.ts";
import { damagedBackup } from "./manifest.ts";
import { readArchive } from "./read-archive.ts";

/**
 * Unpacks and checks everything beside `path` first. Then the usage database is linked into place and the control
 * database last: until that is there, there is no store.
 */
export const restoreBackup = async (path: string, archive: string, options: RestoreOptions): Promise<RestoredFacts> => {
  const staged = `${path}.restore-${randomId("", 10)}`;
  const control = join(staged, "aigw.db");
  const usage = join(staged, "aigw.usage.db");
  try {
    sweepStale(`${path}.restore-`);
    mkdirSync(staged, { mode: 0o700 });
    const { facts, files } = await readArchive(archive, staged).catch((error: unknown) => {
      throw translateFsError(error, archive);
    });
    options.prove(check(archive, control, CONTROL_SCHEMA, (db) => readMeta(db, "key_check")));
    check(archive, usage, TRAFFIC_SCHEMA, () => "");
    forgetGatewaysAndJobs(usage);
    syncPath(usage);
    const head = renewKeys(control, options);
    syncPath(control);
    options.onProven();
    placeBoth({ control, usage }, path);
    return { ...facts, head, bytes: files["aigw.db"].bytes + files["aigw.usage.db"].bytes };
  } catch (error) {
    throw translateFsError(error, path);
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
};

const check = <T>(archive: string, path: string, schema: Schema, read: (db: Database) => T): T => {
  const db = Database.peek(path, schema, { busyTimeoutMs: 0, still: true });
  try {
    const [problem] = db.integrityProblems();
    if (problem !== undefined) throw damagedBackup(archive, problem);
    return read(db);
  } finally {
    db.close();
  }
};

/**
 * Those that ran where the backup was made do not run here, and nobody should wait for them; nor for jobs, whose requests
 * and answers are in no backup.
 */
const forgetGatewaysAndJobs = (usage: string): void => {
  const db = Database.open(usage, TRAFFIC_SCHEMA, 0);
  try {
    db.run("DELETE FROM instances");
    db.run("DELETE FROM jobs");
  } finally {
    db.close();
  }
};

/** @returns the revision of the change that this makes */
const renewKeys = (path: string, { renew, at, actor }: RestoreOptions): number => {
  const control = SqliteControl.open(path, 0);
  try {
    const { rev } = control.append(control.head(), [renew(control.keyring())], { at, actor });
    control.eraseRetired();
    // Only the file itself is put in place: what the last close leaves in the log, on a full disk say, would be lost.
    control.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    return rev;
  } finally {
    control.database.close();
  }
};

/** The control database last: without it there is no store. @throws AigwError `already_exists`; nothing is there then */
export const placeBoth = (staged: { readonly control: string; readonly usage: string }, path: string): void => {
  const usagePath = usagePathOf(path);
  // Another database's leftovers would be replayed into this one.
  for (const file of [path, usagePath].flatMap((base) => [base, `${base}-wal`, `${base}-journal`])) {
    if (existsSync(file)) throw occupied(file);
  }
  if (!placeNew(staged.usage, usagePath)) throw occupied(usagePath);
  if (placeNew(staged.control, path)) return;
  rmSync(usagePath, { force: true });
  syncPath(dirname(usagePath));
  throw occupied(path);
};

const occupied = (file: string): AigwError =>
  new AigwError("already_exists", `${file} exists already. A backup is restored into an empty home only: --home <dir>`);
