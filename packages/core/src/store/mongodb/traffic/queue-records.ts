import type { Collection } from "mongodb";
import { endOfQueue, type QueueRecord } from "../../../queue/queue-record.ts";
import type { VersionedQueue } from "../../store.ts";
import { isDuplicateKey } from "../translate-error.ts";
import type { QueueDocument } from "./collections.ts";
import { firstVersion } from "./permits.ts";

/** What the primary has at the moment: whether it is right is decided by the write that follows. */
export const readQueue = async (
  queues: Collection<QueueDocument>,
  service: string,
): Promise<VersionedQueue | undefined> => {
  const found = await queues.findOne({ _id: service }, { readConcern: { level: "local" } });
  return found === null ? undefined : { version: found.v, record: JSON.parse(found.r) as QueueRecord };
};

/** @param now steady milliseconds */
export const writeQueue = async (
  queues: Collection<QueueDocument>,
  service: string,
  expectedVersion: number,
  record: QueueRecord,
  now: number,
): Promise<boolean> => {
  // As text: a field for each client would be read and written one by one, and a thousand may wait.
  const content = { r: JSON.stringify(record), endsAt: endOfQueue(record) };
  if (expectedVersion !== 0) {
    const { matchedCount } = await queues.updateOne(
      { _id: service, v: expectedVersion },
      { $set: content, $inc: { v: 1 } },
    );
    return matchedCount === 1;
  }
  try {
    await queues.insertOne({ _id: service, v: firstVersion(now), ...content });
    return true;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return false;
  }
};

/** @param now steady milliseconds */
export const pruneQueues = async (queues: Collection<QueueDocument>, now: number): Promise<void> => {
  // The end is looked at again for each when it goes.
  await queues.deleteMany({ endsAt: { $lte: now } });
};
