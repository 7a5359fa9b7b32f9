import { closeSync, fsyncSync, openSync } from "node:fs";
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
