import type { Database } from "../files/database.ts";
import { noteSteadyTime } from "./steady-time.ts";

/** A table of records, one a key, each written by compare-and-set and dropped at its end: `key, version, ends_at` and the record. */
export interface VersionedTable {
  readonly table: string;
  /** The column that has the record. */
  readonly column: string;
  /** In `meta`: see {@link floorOf}. */
  readonly floor: string;
}

export interface Versioned {
  readonly version: number;
  /** JSON. */
  readonly text: string;
}

export const readVersioned = (db: Database, { table, column }: VersionedTable, key: string): Versioned | undefined =>
  db.get<{ version: number; text: string }>(`SELECT version, ${column} AS text FROM ${table} WHERE key = ?`, key);

/**
 * @param endsAt steady milliseconds
 * @returns false when the stored version is not `expectedVersion`, or, for 0, when there is one
 */
export const writeVersioned = (
  db: Database,
  of: VersionedTable,
  key: string,
  expectedVersion: number,
  text: string,
  endsAt: number,
): boolean => {
  const { table, column } = of;
  if (expectedVersion !== 0) {
    const sql = `UPDATE ${table} SET version = version + 1, ends_at = ?, ${column} = ? WHERE key = ? AND version = ?`;
    return db.run(sql, endsAt, text, key, expectedVersion) === 1;
  }
  const insert = `INSERT INTO ${table} VALUES (?, ${floorOf(of)} + 1, ?, ?) ON CONFLICT (key) DO NOTHING`;
  return db.run(insert, key, endsAt, text) === 1;
};

/**
 * Versions above it were never used by a deleted row. Without it, an instance that remembers version 1 of a row since
 * pruned could overwrite the version 1 that another instance has inserted anew, and so count twice, or not at all.
 */
const floorOf = ({ floor }: VersionedTable): string => `coalesce((SELECT value FROM meta WHERE key = '${floor}'), 0)`;

/** @param now steady milliseconds; @param present the same, by this process's clock */
export const pruneVersioned = (db: Database, of: VersionedTable, now: number, present: number): void => {
  const { table, floor } = of;
  // Looked at first, so that a prune with nothing to do takes no write lock.
  if (db.get(`SELECT 1 FROM ${table} WHERE ends_at <= ? LIMIT 1`, now) === undefined) return;
  db.immediate(() => {
    noteSteadyTime(db, present);
    db.run(
      `INSERT INTO meta SELECT '${floor}', max(${floorOf(of)}, max(version)) FROM ${table} WHERE ends_at <= ?
       ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
      now,
    );
    db.run(`DELETE FROM ${table} WHERE ends_at <= ?`, now);
  });
};
