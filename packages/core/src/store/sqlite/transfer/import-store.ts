import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { AigwError } from "../../../errors.ts";
import { sweepStale } from "../../../files/sweep-stale.ts";
import { syncPath } from "../../../files/sync-path.ts";
import { translateFsError } from "../../../files/translate-fs-error.ts";
import { randomId } from "../../../random-id.ts";
import type { ImportOptions, PartName, StoreExport, StoreParts } from "../../../transfer/parts.ts";
import { placeBoth } from "../backup/restore-backup.ts";
import { importChange } from "../control/control.ts";
import { CONTROL_SCHEMA } from "../control/control-schema.ts";
import { createDatabaseFile } from "../files/create-database-file.ts";
import { Database } from "../files/database.ts";
import { usagePathOf } from "../files/paths.ts";
import { writeWindow } from "../traffic/permit-table.ts";
import { writeQuotas } from "../traffic/quota-table.ts";
import { anchorSteadyTime, readBootId } from "../traffic/steady-time.ts";
import { recordTokenIssues } from "../traffic/token-issues.ts";
import { TRAFFIC_SCHEMA } from "../traffic/traffic-schema.ts";
import { writeLastCall } from "../traffic/usage-last.ts";
import { UsageLog } from "../traffic/usage-log.ts";
import { closeSums, insertSums } from "../traffic/usage-rollup.ts";
import { ROLLUPS } from "../traffic/usage-rollup-shape.ts";
import { notePruned } from "../traffic/usage-tally.ts";
import { SqliteExport } from "./export-store.ts";

/**
 * Builds both databases beside `path`, has them compared with their source, and puts them in place like a restoration:
 * usage first, and the control database last, without which there is no store. A mark in the usage database says until
 * then that it is the half of a copy, so that one that was cut off between the two is no reason to refuse the next.
 */
export const importStore = async (path: string, source: StoreExport, options: ImportOptions): Promise<void> => {
  const staged = `${path}.copy-${randomId("", 10)}`;
  const control = join(staged, "aigw.db");
  const usage = join(staged, "aigw.usage.db");
  try {
    assertVacant(path);
    sweepStale(`${path}.copy-`);
    mkdirSync(staged, { mode: 0o700 });
    const { storeId, keyCheck } = source.facts;
    createDatabaseFile(control, CONTROL_SCHEMA, (db) => {
      db.run("INSERT INTO meta VALUES ('store_id', ?), ('key_check', ?)", storeId, keyCheck);
    });
    createDatabaseFile(usage, TRAFFIC_SCHEMA, (db) => db.run("INSERT INTO meta VALUES (?, 1)", HALF));
    const into = { control: Database.open(control, CONTROL_SCHEMA, 0), usage: Database.open(usage, TRAFFIC_SCHEMA, 0) };
    try {
      // Whatever ends this before the end takes the files away.
      for (const db of [into.control, into.usage]) db.exec("PRAGMA synchronous = OFF");
      await fill(into, source, options);
      const imported = new SqliteExport(into, Number.NEGATIVE_INFINITY);
      await options.verify(imported).finally(() => imported.close());
      options.signal?.throwIfAborted();
      // Only the files themselves are put in place.
      for (const db of [into.control, into.usage]) db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } finally {
      into.control.close();
      into.usage.close();
    }
    for (const file of [control, usage]) syncPath(file);
    placeBoth({ control, usage }, path);
    unmark(usagePathOf(path));
  } catch (error) {
    throw translateFsError(error, path);
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
};

interface Databases {
  readonly control: Database;
  readonly usage: Database;
}

const fill = async ({ control, usage }: Databases, source: StoreExport, options: ImportOptions): Promise<void> => {
  const each = async <P extends PartName>(
    part: P,
    db: Database,
    write: (records: readonly StoreParts[P][]) => void,
  ): Promise<void> => {
    for await (const records of source.read(part)) {
      options.signal?.throwIfAborted();
      db.immediate(() => write(records));
    }
  };
  const { foldedEvents, prunedBefore } = source.facts;
  await each("changes", control, (changes) => {
    for (const change of changes) importChange(control, change);
  });
  const log = new UsageLog(usage);
  for await (const events of source.read("usage")) {
    options.signal?.throwIfAborted();
    log.record(events);
  }
  await each("hours", usage, (sums) => insertSums(usage, ROLLUPS.hours, sums));
  await each("days", usage, (sums) => insertSums(usage, ROLLUPS.days, sums));
  await each("lastCalls", usage, (calls) => {
    for (const call of calls) writeLastCall(usage, call);
  });
  await each("permits", usage, (permits) => {
    for (const { key, window } of permits) writeWindow(usage, key, 0, window);
  });
  await each("quotas", usage, (quotas) => {
    for (const { client, record } of quotas) writeQuotas(usage, client, 0, record);
  });
  for await (const issues of source.read("tokens")) recordTokenIssues(usage, issues);
  usage.immediate(() => {
    // A new file numbers its events 1, 2, 3 …
    closeSums(usage, foldedEvents);
    if (prunedBefore > 0) notePruned(usage, prunedBefore);
    anchorSteadyTime(usage, options.clock, readBootId(), options.steadyNow());
    usage.run("UPDATE meta SET value = ? WHERE key = ?", lastSeq(usage), HALF);
  });
};

/** In the usage database's `meta`, until the control database is in place: the last event's number. */
const HALF = "half_of_a_copy";

const lastSeq = (usage: Database): number =>
  usage.get<{ seq: number | null }>("SELECT max(seq) AS seq FROM usage")?.seq ?? 0;

const assertVacant = (path: string): void => {
  const usage = usagePathOf(path);
  if (!existsSync(path) && existsSync(usage) && isHalf(usage)) {
    for (const file of [usage, `${usage}-wal`, `${usage}-shm`]) rmSync(file, { force: true });
    syncPath(dirname(usage));
  }
  for (const file of [path, `${path}-wal`, usage]) {
    if (!existsSync(file)) continue;
    throw new AigwError("already_exists", `${file} is there: a store is copied to where none is. Name another place.`);
  }
};

const isHalf = (usage: string): boolean => {
  const db = Database.peek(usage, TRAFFIC_SCHEMA, { busyTimeoutMs: 0, still: true });
  try {
    // The mark may have outlived the copying; with calls that were recorded since, it is somebody's data.
    return db.get<{ value: number }>("SELECT value FROM meta WHERE key = ?", HALF)?.value === lastSeq(db);
  } finally {
    db.close();
  }
};

const unmark = (usage: string): void => {
  const db = Database.open(usage, TRAFFIC_SCHEMA, 0);
  try {
    db.run("DELETE FROM meta WHERE key = ?", HALF);
  } finally {
    db.close();
  }
};
