import { setImmediate as afterPoll } from "node:timers/promises";
import type { Collection } from "mongodb";
import type { PermitWindow } from "../../../limits/permit-window.ts";
import { endOf } from "../../../limits/permit-window.ts";
import { inTime, isSilence } from "../../in-time.ts";
import type { VersionedWindow } from "../../store.ts";
import type { PermitRecord } from "./collections.ts";
import { readVersioned, writeVersioned } from "./versioned-records.ts";

/** A primary that is gone and not missed yet, such as a frozen one, answers nothing. */
const PRIMARY_PATIENCE_MS = 100;

/**
 * Between two primaries as well: who has to count alone is to know what others have taken.
 * @param isLed there is a primary, as far as is known. If it does not answer soon, or there is none, secondaries are
 *   read: one of them may be a moment behind another, so that the newer of two counts
 */
export const readWindow = async (
  permits: Collection<PermitRecord>,
  key: string,
  isLed: boolean,
): Promise<VersionedWindow | undefined> => {
  const found = isLed ? await readSoon(permits, key) : await readNewest(permits, key, "primaryPreferred");
  return found === undefined ? undefined : { version: found.v, window: found.w };
};

const readSoon = async (permits: Collection<PermitRecord>, key: string): Promise<PermitRecord | undefined> => {
  const read = readVersioned(permits, key, "primaryPreferred");
  try {
    return await inTime(read, PRIMARY_PATIENCE_MS);
  } catch (error) {
    if (!isSilence(error)) throw error;
    return firstOf([read, readNewest(permits, key, "secondary")]);
  }
};

const readNewest = async (
  permits: Collection<PermitRecord>,
  key: string,
  readPreference: "primaryPreferred" | "secondary",
): Promise<PermitRecord | undefined> => {
  const read = (): Promise<PermitRecord | undefined> => readVersioned(permits, key, readPreference);
  const first = read();
  // By then it is under way, and the driver takes the one that has less to do.
  const [one, other] = await Promise.all([first, afterPoll().then(read)]);
  return (other?.v ?? 0) > (one?.v ?? 0) ? other : one;
};

/** The first answer; a fault only when there is none. */
const firstOf = async <T>(answers: readonly Promise<T>[]): Promise<T> => {
  try {
    return await Promise.any(answers);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  }
};

/** @param now steady milliseconds */
export const writeWindow = (
  permits: Collection<PermitRecord>,
  key: string,
  expectedVersion: number,
  window: PermitWindow,
  now: number,
): Promise<boolean> => writeVersioned(permits, key, expectedVersion, { w: window, endsAt: endOf(window) }, now);
