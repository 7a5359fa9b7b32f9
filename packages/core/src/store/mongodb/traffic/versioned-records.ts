import type { Collection } from "mongodb";
import { isDuplicateKey } from "../translate-error.ts";

/** One of a collection that holds one record a key, each written by compare-and-set and dropped at its end. */
export interface VersionedRecord {
  readonly _id: string;
  readonly v: number;
  /** Steady milliseconds: nothing in it matters from then on. */
  readonly endsAt: number;
}

/**
 * What there is at the moment: whether it is right is decided by the write that follows.
 * @param readPreference `primaryPreferred`: while there is no primary, what a secondary has
 */
export const readVersioned = async <R extends VersionedRecord>(
  records: Collection<R>,
  key: string,
  readPreference: "primary" | "primaryPreferred" | "secondary" = "primary",
): Promise<R | undefined> => {
  const options = { readConcern: { level: "local" }, readPreference } as const;
  const found = await plain(records).findOne<R>({ _id: key }, options);
  return found ?? undefined;
};

/** More writes of one record in a millisecond than there can be. */
const WRITES_A_MS = 1_024;

/** A record begins with a version that none had before it was pruned: the time gives it. @param now steady milliseconds */
const firstVersion = (now: number): number => Math.floor(now) * WRITES_A_MS;

/**
 * @param now steady milliseconds
 * @returns false when the stored version is not `expectedVersion`, or, for 0, when there is one
 */
export const writeVersioned = async <R extends VersionedRecord>(
  records: Collection<R>,
  key: string,
  expectedVersion: number,
  content: Omit<R, "_id" | "v">,
  now: number,
): Promise<boolean> => {
  if (expectedVersion !== 0) {
    const { matchedCount } = await plain(records).updateOne(
      { _id: key, v: expectedVersion },
      { $set: content, $inc: { v: 1 } },
    );
    return matchedCount === 1;
  }
  try {
    await plain(records).insertOne({ _id: key, v: firstVersion(now), ...content });
    return true;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return false;
  }
};

/** @param now steady milliseconds */
export const pruneVersioned = async <R extends VersionedRecord>(records: Collection<R>, now: number): Promise<void> => {
  // The end is looked at again for each when it goes.
  await plain(records).deleteMany({ endsAt: { $lte: now } });
};

/** The driver's types of a filter cannot be had for a record that is not known yet. */
const plain = <R extends VersionedRecord>(records: Collection<R>): Collection<VersionedRecord> =>
  records as unknown as Collection<VersionedRecord>;
