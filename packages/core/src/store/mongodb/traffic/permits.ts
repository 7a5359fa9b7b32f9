import type { Collection } from "mongodb";
import type { PermitWindow } from "../../../limits/permit-window.ts";
import { endOf } from "../../../limits/permit-window.ts";
import type { VersionedWindow } from "../../store.ts";
import { isDuplicateKey } from "../translate-error.ts";
import type { PermitRecord } from "./collections.ts";

/** What the primary has at the moment: whether it is right is decided by the write that follows. */
export const readWindow = async (
  permits: Collection<PermitRecord>,
  key: string,
): Promise<VersionedWindow | undefined> => {
  const found = await permits.findOne({ _id: key }, { readConcern: { level: "local" } });
  return found === null ? undefined : { version: found.v, window: found.w };
};

/** More writes of one window in a millisecond than there can be. */
const WRITES_A_MS = 1_024;

/** A record begins with a version that none had before it was pruned: the time gives it. @param now steady milliseconds */
export const firstVersion = (now: number): number => Math.floor(now) * WRITES_A_MS;

/** @param now steady milliseconds */
export const writeWindow = async (
  permits: Collection<PermitRecord>,
  key: string,
  expectedVersion: number,
  window: PermitWindow,
  now: number,
): Promise<boolean> => {
  const content = { w: window, endsAt: endOf(window) };
  if (expectedVersion !== 0) {
    const { matchedCount } = await permits.updateOne(
      { _id: key, v: expectedVersion },
      { $set: content, $inc: { v: 1 } },
    );
    return matchedCount === 1;
  }
  try {
    await permits.insertOne({ _id: key, v: firstVersion(now), ...content });
    return true;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return false;
  }
};

/** @param now steady milliseconds */
export const pruneWindows = async (permits: Collection<PermitRecord>, now: number): Promise<void> => {
  // The end is looked at again for each when it goes.
  await permits.deleteMany({ endsAt: { $lte: now } });
};
