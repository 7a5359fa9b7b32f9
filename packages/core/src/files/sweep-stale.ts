import { lstatSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { getuid } from "node:process";

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
      const { mtimeMs, uid } = lstatSync(path);
      // In a folder such as /tmp a neighbour's would lead the removal elsewhere, by what he changes meanwhile.
      if (uid !== (getuid?.() ?? uid) || Date.now() - mtimeMs <= STALE_AFTER_MS) continue;
      rmSync(path, { recursive: true, force: true });
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
