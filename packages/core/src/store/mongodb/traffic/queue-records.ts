import type { Collection } from "mongodb";
import { endOfQueue, parseQueue, type QueueRecord } from "../../../queue/queue-record.ts";
import type { VersionedQueue } from "../../store.ts";
import type { QueueDocument } from "./collections.ts";
import { readVersioned, writeVersioned } from "./versioned-records.ts";

export const readQueue = async (
  queues: Collection<QueueDocument>,
  service: string,
): Promise<VersionedQueue | undefined> => {
  const found = await readVersioned(queues, service);
  return found && { version: found.v, record: parseQueue(found.r) };
};

/** @param now steady milliseconds */
export const writeQueue = (
  queues: Collection<QueueDocument>,
  service: string,
  expectedVersion: number,
  record: QueueRecord,
  now: number,
): Promise<boolean> =>
  writeVersioned(queues, service, expectedVersion, { r: JSON.stringify(record), endsAt: endOfQueue(record, now) }, now);
