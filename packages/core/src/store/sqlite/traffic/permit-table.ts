import { endOf, type PermitWindow } from "../../../limits/permit-window.ts";
import type { VersionedWindow } from "../../store.ts";
import type { Database } from "../files/database.ts";
import { pruneVersioned, readVersioned, type VersionedTable, writeVersioned } from "./versioned-table.ts";

const PERMITS: VersionedTable = { table: "permits", column: "window", floor: "permit_floor" };

export const readWindow = (db: Database, key: string): VersionedWindow | undefined => {
  const row = readVersioned(db, PERMITS, key);
  return row === undefined ? undefined : { version: row.version, window: JSON.parse(row.text) as PermitWindow };
};

/** @returns false when the stored version is not `expectedVersion`, or, for 0, when there is one */
export const writeWindow = (db: Database, key: string, expectedVersion: number, window: PermitWindow): boolean =>
  writeVersioned(db, PERMITS, key, expectedVersion, JSON.stringify(window), endOf(window));

/** @param now steady milliseconds; @param present the same, by this process's clock */
export const pruneWindows = (db: Database, now: number, present: number): void =>
  pruneVersioned(db, PERMITS, now, present);
