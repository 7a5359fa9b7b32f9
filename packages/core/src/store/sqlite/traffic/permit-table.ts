import { endOf, type PermitWindow } from "../../../limits/permit-window.ts";
import type { VersionedWindow } from "../../store.ts";
import type { Database } from "../files/database.ts";
import { noteSteadyTime } from "./steady-time.ts";

export const readWindow = (db: Database, key: string): VersionedWindow | undefined => {
  const row = db.get<{ version: number; window: string }>("SELECT version, window FROM permits WHERE key = ?", key);
  return row === undefined ? undefined : { version: row.version, window: JSON.parse(row.window) as PermitWindow };
};

/** @returns false when the stored version is not `expectedVersion`, or, for 0, when there is one */
export const writeWindow = (db: Database, key: string, expectedVersion: number, window: PermitWindow): boolean => {
  const endsAt = endOf(window);
  const text = JSON.stringify(window);
  if (expectedVersion !== 0) {
    const sql = "UPDATE permits SET version = version + 1, ends_at = ?, window = ? WHERE key = ? AND version = ?";
    return db.run(sql, endsAt, text, key, expectedVersion) === 1;
  }
  return (
    db.run(`INSERT INTO permits VALUES (?, ${FLOOR} + 1, ?, ?) ON CONFLICT (key) DO NOTHING`, key, endsAt, text) === 1
  );
};

/**
 * Versions above it were never used by a deleted row. Without it, an instance that remembers version 1 of a row since
 * pruned could overwrite the version 1 that another instance has inserted anew, and so admit twice.
 */
const FLOOR = "coalesce((SELECT value FROM meta WHERE key = 'permit_floor'), 0)";

/** @param now steady milliseconds; @param present the same, by this process's clock */
export const pruneWindows = (db: Database, now: number, present: number): void => {
  // Looked at first, so that a prune with nothing to do takes no write lock.
  if (db.get("SELECT 1 FROM permits WHERE ends_at <= ? LIMIT 1", now) === undefined) return;
  db.immediate(() => {
    noteSteadyTime(db, present);
    db.run(
      `INSERT INTO meta SELECT 'permit_floor', max(${FLOOR}, max(version)) FROM permits WHERE ends_at <= ?
       ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
      now,
    );
    db.run("DELETE FROM permits WHERE ends_at <= ?", now);
  });
};
