import { mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { AigwError } from "../../../errors.ts";
import { assertFree, taken } from "../../../files/assert-free.ts";
import { createPrivateFile } from "../../../files/private-file.ts";
import { sweepStale } from "../../../files/sweep-stale.ts";
import { syncPath } from "../../../files/sync-path.ts";
import { translateFsError } from "../../../files/translate-fs-error.ts";
import { randomId } from "../../../random-id.ts";
import type { BackupFacts } from "../../maintenance.ts";
import { CONTROL_SCHEMA } from "../control/control-schema.ts";
import { eraseMarked } from "../control/erasure.ts";
import { linkNew } from "../files/create-database-file.ts";
import { Database } from "../files/database.ts";
import type { Schema } from "../files/migrations.ts";
import { TRAFFIC_SCHEMA } from "../traffic/traffic-schema.ts";
import { readFacts } from "./facts.ts";
import { formatManifest, MANIFEST_NAME, type Manifest } from "./manifest.ts";
import { hashFile, writeArchive } from "./write-archive.ts";

/** Connections that nobody else uses meanwhile. */
export interface BackupSources {
  readonly control: Database;
  readonly usage: Database;
}

/**
 * The copies are made beside `to`, checked, packed into one file there, and that is linked into place: killed at any
 * moment, it leaves nothing at `to`, only a folder `<to>.new-…` that a backup an hour later sweeps away.
 */
export const createBackup = async (
  sources: BackupSources,
  to: string,
  now: number,
  signal: AbortSignal | undefined,
): Promise<BackupFacts> => {
  assertFree(to);
  const staged = `${to}.new-${randomId("", 10)}`;
  try {
    sweepStale(`${to}.new-`);
    mkdirSync(staged, { mode: 0o700 });
    const control = join(staged, "aigw.db");
    const usage = join(staged, "aigw.usage.db");
    await copyBoth(sources, { control, usage }, () => signal?.throwIfAborted());
    eraseIn(control);
    const facts = readFacts(verified(control, CONTROL_SCHEMA), verified(usage, TRAFFIC_SCHEMA), now);
    signal?.throwIfAborted();
    const manifest: Manifest = {
      facts,
      files: { "aigw.db": await hashFile(control, signal), "aigw.usage.db": await hashFile(usage, signal) },
    };
    const archive = join(staged, "archive");
    createPrivateFile(archive);
    const parts = [
      { name: MANIFEST_NAME, content: Buffer.from(formatManifest(manifest)) },
      { name: "aigw.db", path: control },
      { name: "aigw.usage.db", path: usage },
    ];
    await writeArchive(archive, parts, now, signal);
    syncPath(archive);
    placeArchive(archive, to);
    return { ...facts, bytes: statSync(to).size };
  } catch (error) {
    throw translateFsError(error, to);
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
};

/**
 * Both are pinned before either is copied, usage first: no event then belongs to a client whose creation is not in the
 * control database.
 */
const copyBoth = async (
  sources: BackupSources,
  to: { readonly control: string; readonly usage: string },
  onStep: () => void,
): Promise<void> => {
  try {
    sources.usage.pin();
    sources.control.pin();
    for (const part of ["control", "usage"] as const) {
      createPrivateFile(to[part]);
      await sources[part].copyTo(to[part], onStep);
      onStep();
    }
  } finally {
    sources.usage.unpin();
    sources.control.unpin();
  }
};

/** What was still to be erased in the source is erased in the copy: no later backup holds a retired secret. */
const eraseIn = (control: string): void => {
  const db = Database.open(control, CONTROL_SCHEMA, 0);
  try {
    eraseMarked(db);
  } finally {
    db.close();
  }
};

/** A copy is as sound as its source: a backup that cannot be restored must not pass for one. */
const verified = (path: string, schema: Schema): Database => {
  const db = Database.peek(path, schema, { busyTimeoutMs: 0, still: true });
  const [problem] = db.integrityProblems();
  if (problem === undefined) return db;
  db.close();
  throw new AigwError(
    "store_corrupt",
    `The ${schema.name} database is damaged (${problem}), so there is nothing sound to back up. Restore an earlier backup.`,
  );
};

const placeArchive = (archive: string, to: string): void => {
  const linked = linkNew(archive, to);
  if (linked === "taken") throw taken(to);
  if (linked === "unsupported") {
    // Then the check and the last step are two.
    assertFree(to);
    renameSync(archive, to);
  }
  syncPath(dirname(to));
};
