import { AigwError, type ErrorCode } from "../errors.ts";

const CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ["store_full", "the disk is full. Free some space"],
  EDQUOT: ["store_full", "the disk quota is used up. Free some space"],
  EACCES: ["store_read_only", "this user may not. Check the owner and the mode of the file and its folders"],
  EPERM: ["store_read_only", "this user may not. Check the owner and the mode of the file and its folders"],
  EROFS: ["store_read_only", "the file system is read-only. Remount it writable, or choose another folder"],
  EMFILE: ["store_unavailable", "this process has no file descriptor left. Raise its limit of open files (ulimit -n)"],
  ENFILE: ["store_unavailable", "this machine has no file descriptor left. Look at what holds them (lsof)"],
  ENOENT: ["store_unavailable", "its folder does not exist. Create it, or choose another"],
  ENOTDIR: ["store_unavailable", "a part of the path is a file, not a folder. Choose another path"],
  EISDIR: ["store_unavailable", "there is a folder in its place. Choose another path"],
  ENAMETOOLONG: ["store_unavailable", "the path is too long. Choose a shorter one"],
};

/** Turns what node:fs throws into aigw's errors; anything else passes unchanged. @param path named in the message */
export const translateFsError = (error: unknown, path: string): unknown => {
  if (!(error instanceof Error) || error instanceof AigwError) return error;
  if (!("syscall" in error) || !("code" in error) || typeof error.code !== "string") return error;
  const [code, why] = CODES[error.code] ?? ["store_unavailable", `the system said ${error.code}. Check the disk`];
  return new AigwError(code, `${path} cannot be used: ${why}.`, {
    cause: error,
    details: { path, system: error.code },
  });
};
