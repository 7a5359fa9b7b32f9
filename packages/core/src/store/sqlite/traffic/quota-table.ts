import { endOfRecord, type QuotaRecord } from "../../../quotas/quota-record.ts";
import type { VersionedQuotas } from "../../store.ts";
import type { Database } from "../files/database.ts";
import { pruneVersioned, readVersioned, type VersionedTable, writeVersioned } from "./versioned-table.ts";

const QUOTAS: VersionedTable = { table: "quotas", column: "record", floor: "quota_floor" };

export const readQuotas = (db: Database, client: string): VersionedQuotas | undefined => {
  const row = readVersioned(db, QUOTAS, client);
  return row === undefined ? undefined : { version: row.version, record: JSON.parse(row.text) as QuotaRecord };
};

/** @returns false when the stored version is not `expectedVersion`, or, for 0, when there is one */
export const writeQuotas = (db: Database, client: string, expectedVersion: number, record: QuotaRecord): boolean =>
  writeVersioned(db, QUOTAS, client, expectedVersion, JSON.stringify(record), endOfRecord(record));

/** @param now steady milliseconds; @param present the same, by this process's clock */
export const pruneQuotas = (db: Database, now: number, present: number): void =>
  pruneVersioned(db, QUOTAS, now, present);
