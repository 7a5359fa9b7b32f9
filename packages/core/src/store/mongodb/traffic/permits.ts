import type { Collection } from "mongodb";
import type { PermitWindow } from "../../../limits/permit-window.ts";
import { endOf } from "../../../limits/permit-window.ts";
import type { VersionedWindow } from "../../store.ts";
import type { PermitRecord } from "./collections.ts";
import { readVersioned, writeVersioned } from "./versioned-records.ts";

export const readWindow = async (
  permits: Collection<PermitRecord>,
  key: string,
): Promise<VersionedWindow | undefined> => {
  const found = await readVersioned(permits, key);
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
