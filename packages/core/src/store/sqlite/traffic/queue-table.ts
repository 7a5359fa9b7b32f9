import { endOfQueue, parseQueue, type QueueRecord } from "../../../queue/queue-record.ts";
import type { VersionedQueue } from "../../store.ts";
import type { Database } from "../files/database.ts";
import { pruneVersioned, readVersioned, type VersionedTable, writeVersioned } from "./versioned-table.ts";

const QUEUES: VersionedTable = { table: "queues", column: "record", floor: "queue_floor" };

export const readQueue = (db: Database, service: string): VersionedQueue | undefined => {
  const row = readVersioned(db, QUEUES, service);
  return row === undefined ? undefined : { version: row.version, record: parseQueue(row.text) };
};

/**
 * @param now steady milliseconds
 * @returns false when the stored version is not `expectedVersion`, or, for 0, when there is one
 */
export const writeQueue = (
  db: Database,
  service: string,
  expectedVersion: number,
  record: QueueRecord,
  now: number,
): boolean => writeVersioned(db, QUEUES, service, expectedVersion, JSON.stringify(record), endOfQueue(record, now));

/** @param now steady milliseconds; @param present the same, by this process's clock */
export const pruneQueues = (db: Database, now: number, present: number): void =>
  pruneVersioned(db, QUEUES, now, present);
