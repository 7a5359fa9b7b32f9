import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { AigwError } from "../errors.ts";

/** Less is left free when only this process would fill the disk: room for everything but single calls. */
const FLOOR_BYTES = 16 * 2 ** 20;
/** On a small disk, a share of it. */
const FLOOR_SHARE = 1 / 4;

export interface Space {
  /** For this user; root may have more. */
  readonly free: number;
  readonly total: number;
}

/** Of the disk that holds `path`. @returns undefined where the system does not tell */
export const spaceFor = (path: string): Space | undefined => {
  try {
    const { bavail, bsize, blocks } = statfsSync(dirname(path));
    return blocks === 0 ? undefined : { free: bavail * bsize, total: blocks * bsize };
  } catch {
    return undefined;
  }
};

/** Whether so many bytes can be written beside `path` without coming near a full disk. */
export const hasRoomFor = (path: string, bytes: number): boolean => {
  const space = spaceFor(path);
  return space === undefined || leaves(space, bytes);
};

/** The same, of what the system says of the disk. */
export const isRoom = (
  { bavail, bsize, blocks }: { readonly bavail: number; readonly bsize: number; readonly blocks: number },
  bytes: number,
): boolean => blocks === 0 || leaves({ free: bavail * bsize, total: blocks * bsize }, bytes);

const leaves = ({ free, total }: Space, bytes: number): boolean =>
  free - bytes >= Math.min(FLOOR_BYTES, total * FLOOR_SHARE);

/**
 * Usage may not take the last of the disk: it comes by itself, and without end. A look costs some microseconds.
 * @param path what usage is written to
 * @throws AigwError `store_full`
 */
export const assertRoomForUsage = (path: string): void => {
  const space = spaceFor(path);
  if (space === undefined || space.free >= Math.min(FLOOR_BYTES, space.total * FLOOR_SHARE)) return;
  const free = Math.floor(space.free / 1024);
  throw new AigwError(
    "store_full",
    `Only ${free} KiB are free on the disk that holds ${path}: usage is not stored, so that admin commands go on. Free some space.`,
  );
};
