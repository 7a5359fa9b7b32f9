import { setImmediate as afterPoll } from "node:timers/promises";
import type { Collection } from "mongodb";
import type { PermitWindow } from "../../../limits/permit-window.ts";
import { endOf } from "../../../limits/permit-window.ts";
import type { VersionedWindow } from "../../store.ts";
import type { PermitRecord } from "./collections.ts";
import { readVersioned, writeVersioned } from "./versioned-records.ts";

/**
 * Between two primaries as well: who has to count alone is to know what others have taken.
 * @param isLed there is a primary. If not, one of the secondaries may be a moment behind another: two are read, and what
 *   is newer counts
 */
export const readWindow = async (
  permits: Collection<PermitRecord>,
  key: string,
  isLed: boolean,
): Promise<VersionedWindow | undefined> => {
  const read = (): Promise<PermitRecord | undefined> => readVersioned(permits, key, "primaryPreferred");
  const first = read();
  // By then it is under way, and the driver takes the one that has less to do.
  const second = isLed ? undefined : afterPoll().then(read);
  const [one, other] = await Promise.all([first, second]);
  const found = (other?.v ?? 0) > (one?.v ?? 0) ? other : one;
  return found === undefined ? undefined : { version: found.v, window: found.w };
};

/** @param now steady milliseconds */
export const writeWindow = (
  permits: Collection<PermitRecord>,
  key: string,
  expectedVersion: number,
  window: PermitWindow,
  now: number,
): Promise<boolean> => writeVersioned(permits, key, expectedVersion, { w: window, endsAt: endOf(window) }, now);
