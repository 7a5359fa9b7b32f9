import { closeSync, fchmodSync, openSync } from "node:fs";

/** Empty, mode 0600; there must be no file at `path` yet. */
export const createPrivateFile = (path: string): void => {
  const file = openSync(path, "wx", 0o600);
  // Whatever the umask is; SQLite gives -wal and -shm the same mode.
  fchmodSync(file, 0o600);
  closeSync(file);
};
