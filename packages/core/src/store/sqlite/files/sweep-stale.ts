import { lstatSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const STALE_AFTER_MS = 3_600_000;

/**
 * Removes what processes killed in the middle of a creation left behind: files and folders whose path starts with
 * `prefix` and that nobody touched for an hour. Best effort, since they harm nobody.
 */
export const sweepStale = (prefix: string): void => {
  const folder = dirname(prefix);
  for (const name of entriesOf(folder)) {
    if (!name.startsWith(basename(prefix))) continue;
    try {
      const path = join(folder, name);
      if (Date.now() - lstatSync(path).mtimeMs > STALE_AFTER_MS) rmSync(path, { recursive: true, force: true });
    } catch {
      // Somebody else's, or somebody else was faster.
    }
  }
};

const entriesOf = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};
