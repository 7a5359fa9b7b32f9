import { closeSync, openSync } from "node:fs";

/**
 * Whether this process, or the machine, has no file descriptor left. SQLite and the system's look-up of names then say
 * that a file cannot be opened, or that there is no such host.
 */
export const isOutOfFiles = (): boolean => {
  try {
    closeSync(openSync("/dev/null", "r"));
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && (error.code === "EMFILE" || error.code === "ENFILE");
  }
};
