import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { HomeExamination } from "@aigw/core";
import { humanBytes } from "../../terminal/output/figures.ts";
import type { Found } from "../finding.ts";

const about = "disk";
const MIB = 1024 * 1024;
const LOW_BYTES = 1024 * MIB;
const FULL_BYTES = 100 * MIB;

export const judgeSpace = (free: number, folder: string): Found => {
  const message = `${humanBytes(free)} free for ${folder}`;
  if (free >= LOW_BYTES) return { code: "disk_free", about, message };
  const command = "free some space, or move the home to a larger disk";
  if (free >= FULL_BYTES) return { code: "disk_low", about, message: `Only ${message}.`, command };
  return { code: "disk_full", about, message: `Only ${message}. Below 16 MiB usage is not stored any more.`, command };
};

/** Of a store that keeps files on this machine. */
export const checkDisk = ({ location }: HomeExamination): readonly Found[] => {
  if (location?.path === undefined) return [];
  for (let folder = dirname(location.path); ; folder = dirname(folder)) {
    const free = freeBytes(folder);
    if (free !== undefined) return [judgeSpace(free, folder)];
    // A home that is not there yet will be made in the nearest folder that is.
    if (folder === dirname(folder)) return [];
  }
};

/** For this user; root may have more. @returns undefined when there is no such folder */
const freeBytes = (folder: string): number | undefined => {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
};
