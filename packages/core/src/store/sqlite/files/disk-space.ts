import { randomFillSync } from "node:crypto";
import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { AigwError, isAigwError } from "../../../errors.ts";
import { reservePathOf } from "./paths.ts";

const MIB = 2 ** 20;
/** Some thirty admin changes fit into it before the log that they are written to begins anew. */
const RESERVE_BYTES = MIB;
/** Less is left free when only this process would fill the disk: room for everything but single calls. */
const FLOOR_BYTES = 16 * MIB;
/** On a small disk, shares of it. */
const RESERVE_SHARE = 1 / 8;
const FLOOR_SHARE = 1 / 4;
const BLOCK_BYTES = 65_536;

/**
 * Usage may not take the last of the disk: it comes by itself, and without end. A look costs some microseconds.
 * @param path the usage database
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

/**
 * Space that is taken beforehand, so that a client can be revoked when somebody has filled the disk: a file beside the
 * control database. Gateways make it; who needs it removes it, and puts back what is left in the end.
 */
export class DiskReserve {
  readonly #path: string;
  #released = false;

  /** @param database the control database */
  constructor(database: string) {
    this.#path = reservePathOf(database);
  }

  /** Makes it, where there is space for all of it. Best effort. */
  keep(): void {
    const space = spaceFor(this.#path);
    if (space === undefined) return;
    const [there, wanted] = [sizeOf(this.#path), wantedOf(space)];
    if (there >= wanted || there + space.free < wanted) return;
    if (remove(this.#path)) fill(this.#path, wanted);
  }

  /** @returns false when there is none (any more) */
  release(): boolean {
    const released = sizeOf(this.#path) > 0 && remove(this.#path);
    this.#released ||= released;
    return released;
  }

  /** Puts back as much as there is space for, if this process released it. */
  restore(): void {
    const space = spaceFor(this.#path);
    if (!this.#released || space === undefined) return;
    this.#released = false;
    fill(this.#path, wantedOf(space));
  }

  /** Runs `work`, and once more with the reserve when the disk is full. */
  during<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!isAigwError(error, "store_full") || !this.release()) throw error;
    }
    return work();
  }
}

const wantedOf = ({ total }: Space): number =>
  Math.min(RESERVE_BYTES, Math.floor((total * RESERVE_SHARE) / BLOCK_BYTES) * BLOCK_BYTES);

const sizeOf = (path: string): number => {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    return 0;
  }
};

const remove = (path: string): boolean => {
  try {
    rmSync(path, { force: true });
    return true;
  } catch {
    return false;
  }
};

/** Best effort, up to so much. Random bytes: a file system that compresses must not give their space to others. */
const fill = (path: string, bytes: number): void => {
  const block = new Uint8Array(BLOCK_BYTES);
  let file: number | undefined;
  try {
    file = openSync(path, "wx", 0o600);
    for (let written = 0; written < bytes; ) written += writeSync(file, randomFillSync(block));
  } catch {
    // The disk is full now, or another process was faster.
  } finally {
    if (file !== undefined) closeSync(file);
  }
};

interface Space {
  /** For this user; root may have more. */
  readonly free: number;
  readonly total: number;
}

/** @returns undefined where the system does not tell */
const spaceFor = (path: string): Space | undefined => {
  try {
    const { bavail, bsize, blocks } = statfsSync(dirname(path));
    return blocks === 0 ? undefined : { free: bavail * bsize, total: blocks * bsize };
  } catch {
    return undefined;
  }
};
