import { accessSync, constants, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { AigwError, type ErrorCode } from "../../../errors.ts";
import { isOutOfFiles } from "../../../files/is-out-of-files.ts";

/** Primary result codes, https://www.sqlite.org/rescode.html; the low byte of an extended one. */
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;
const CONSTRAINT_UNIQUE = 2067;
const CONSTRAINT_PRIMARYKEY = 1555;
const READONLY_DBMOVED = 1032;
/** Below so much free space an I/O error is taken for a full disk: SQLite keeps the system's reason to itself. */
const FULL_BELOW_BYTES = 1 << 20;

interface Fault {
  readonly code: ErrorCode;
  readonly what: string;
}

/**
 * Turns what node:sqlite throws into aigw's errors; anything else passes unchanged.
 * @param path the database file, named in the message
 */
export const translateSqliteError = (error: unknown, path: string): unknown => {
  if (!(error instanceof Error) || error instanceof AigwError || !("code" in error)) return error;
  if (error.code === "ERR_INVALID_STATE") {
    return new AigwError("store_unavailable", `The database ${path} is closed.`, { cause: error });
  }
  if (error.code !== "ERR_SQLITE_ERROR" || !("errcode" in error) || typeof error.errcode !== "number") return error;
  const { code, what } = faultOf(error.errcode, path, error.message);
  return new AigwError(code, what, { cause: error, details: { path, sqlite: error.errcode } });
};

const faultOf = (errcode: number, path: string, text: string): Fault => {
  if (errcode === CONSTRAINT_UNIQUE || errcode === CONSTRAINT_PRIMARYKEY) {
    return { code: "already_exists", what: `${path} already holds such a record (${text}).` };
  }
  if (errcode === READONLY_DBMOVED) return { code: "store_unavailable", what: movedMessage(path) };
  switch (errcode & 0xff) {
    case BUSY:
    case LOCKED:
      return {
        code: "store_locked",
        what: `The database ${path} is locked by another process. Try again in a moment.`,
      };
    case READONLY:
      return readOnly(path);
    case FULL:
      return full(path);
    case CORRUPT:
    case NOTADB:
      return {
        code: "store_corrupt",
        what: `The database ${path} is damaged (${text}). Stop aigw and restore it from a backup; nothing was overwritten.`,
      };
    case CANTOPEN:
    case IOERR:
      if (isOutOfFiles()) return outOfFiles(path);
      if (hasNoSpace(path)) return full(path);
      if (!isWritable(path)) return readOnly(path);
      return {
        code: "store_unavailable",
        what: `The database ${path} cannot be used (${text}). Check the disk and the file's owner.`,
      };
    default:
      return { code: "failed", what: `The database ${path} refused a statement (${text}).` };
  }
};

const readOnly = (path: string): Fault => ({
  code: "store_read_only",
  what: `The database ${path} cannot be written. Make the file and its folder writable for this user.`,
});

const outOfFiles = (path: string): Fault => ({
  code: "store_unavailable",
  what: `The database ${path} cannot be opened: no file descriptor is left. Raise the limit of open files (systemd: LimitNOFILE=65536; a shell: ulimit -n 65536).`,
});

const full = (path: string): Fault => ({
  code: "store_full",
  what: `The disk that holds ${path} is full. Free some space; nothing of this operation was stored.`,
});

/** Going on with a file that is no longer the one on disk would lose every write with it. */
export const movedMessage = (path: string): string =>
  `The database ${path} was moved, removed or replaced while in use. Put it in place, then restart what uses it.`;

const isWritable = (path: string): boolean => {
  try {
    // WAL needs two more files beside the database, so the folder counts as well.
    accessSync(dirname(path), constants.W_OK);
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
};

const hasNoSpace = (path: string): boolean => {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < FULL_BELOW_BYTES;
  } catch {
    return false;
  }
};
