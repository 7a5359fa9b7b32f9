import type { Collection } from "mongodb";
import type { Instance, SeenInstance } from "../../store.ts";
import type { InstanceRecord } from "./collections.ts";

/** What is told of nobody any more. */
const FORGET_AFTER_MS = 3_600_000;
/** How long a gateway serves without the store that does not say so. */
const DEFAULT_MAX_STALE_MS = 60_000;
/** It reports every second, and its clock and the store's are not quite the same. */
const GRACE_MS = 5_000;
/** One that reports is seen in any such time. */
const LEASE_MS = 10_000;
const MAY_RETURN = { mayReturn: true } as const;

export const reportInstance = async (
  collection: Collection<InstanceRecord>,
  instance: Instance,
  now: number,
): Promise<void> => {
  await collection.updateOne(
    { _id: instance.id },
    // A report that was held up on its way makes nobody older.
    { $max: { seenAt: now }, $set: { record: instance } },
    { upsert: true },
  );
};

/** Its machine cannot be looked at: one that fell silent may run for as long as it serves without the store. */
export const readInstances = async (
  collection: Collection<InstanceRecord>,
  withinMs: number,
  now: number,
): Promise<readonly SeenInstance[]> => {
  const found = await collection.find({ seenAt: { $gt: now - FORGET_AFTER_MS } }, { sort: { _id: 1 } }).toArray();
  return found.flatMap(({ seenAt, record }) => {
    const lastSeenAgoMs = Math.max(0, now - seenAt);
    const mayServe = lastSeenAgoMs <= (record.maxStaleMs ?? DEFAULT_MAX_STALE_MS) + GRACE_MS;
    if (mayServe) return [{ ...record, lastSeenAgoMs }];
    return lastSeenAgoMs <= withinMs ? [{ ...record, lastSeenAgoMs, ...(lastSeenAgoMs > LEASE_MS && MAY_RETURN) }] : [];
  });
};

/** Drops those unseen for so long that they are told of no more. */
export const forgetInstances = async (collection: Collection<InstanceRecord>, now: number): Promise<void> => {
  await collection.deleteMany({ seenAt: { $lte: now - FORGET_AFTER_MS } });
};
