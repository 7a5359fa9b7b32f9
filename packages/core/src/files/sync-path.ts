import { closeSync, fsyncSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { platform } from "node:os";

/** Makes a file's content, or a folder's entries, survive a power loss. */
export const syncPath = (path: string): void => {
  // Windows cannot open a folder and needs no sync of it.
  if (platform() === "win32") return;
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};

/** Where a folder cannot be read, or is of a file system that syncs none; as PostgreSQL has it (fsync_fname). */
const UNSYNCED = new Set(["EACCES", "EISDIR", "EBADF", "EINVAL"]);

/** Makes a folder's entries survive a power loss, by a thread of Node's pool. @throws what node:fs throws */
export const syncFolder = async (path: string): Promise<void> => {
  if (platform() === "win32") return;
  try {
    const folder = await open(path, "r");
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !UNSYNCED.has(code)) throw error;
  }
};
