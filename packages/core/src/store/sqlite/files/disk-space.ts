import { randomFillSync } from "node:crypto";
import { closeSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { isAigwError } from "../../../errors.ts";
import { type Space, spaceFor } from "../../../files/free-space.ts";
import { reservePathOf } from "./paths.ts";

const MIB = 2 ** 20;
/** Some thirty admin changes fit into it before the log that they are written to begins anew. */
const RESERVE_BYTES = MIB;
/** On a small disk, a share of it. */
const RESERVE_SHARE = 1 / 8;
const BLOCK_BYTES = 65_536;

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
