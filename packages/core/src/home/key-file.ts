import { closeSync, fchmodSync, fsyncSync, linkSync, openSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { sweepStale } from "../files/sweep-stale.ts";
import { syncPath } from "../files/sync-path.ts";
import { randomId } from "../random-id.ts";
import { formatMasterKey, generateMasterKey, readMasterKeyFile } from "../sealing/master-key.ts";
import { masterKeyPath } from "./home-paths.ts";

/** Writes a new master key to `path`, where no file may be yet. */
export const createKeyFile = (path: string): Uint8Array => {
  const key = generateMasterKey();
  writePrivateFile(path, `${formatMasterKey(key)}\n`, "wx");
  return key;
};

/** The home's key. Of several processes that create it at once, all get the one that was first. */
export const readOrCreateKeyFile = (home: string): Uint8Array => {
  const path = masterKeyPath(home);
  const staged = `${path}.new-${randomId("", 10)}`;
  sweepStale(`${path}.new-`);
  try {
    createKeyFile(staged);
    // Unlike a rename, a link never replaces the key that another process has placed and may have used.
    linkSync(staged, path);
    syncPath(dirname(path));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    rmSync(staged, { force: true });
  }
  return readMasterKeyFile(path);
};

/** Mode 0600 whatever the umask is, durable when it returns. */
export const writePrivateFile = (path: string, content: string, flag: "w" | "wx" = "w"): void => {
  const file = openSync(path, flag, 0o600);
  try {
    fchmodSync(file, 0o600);
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};
