import { randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { platform } from "node:os";
import { AigwError } from "../errors.ts";

const KEY_BYTES = 32;
/** Windows keeps no POSIX modes to check. */
const HAS_MODES = platform() !== "win32";

export const generateMasterKey = (): Uint8Array => randomBytes(KEY_BYTES);

/** The key file's content, and what AIGW_MASTER_KEY takes: 43 characters of base64url. */
export const formatMasterKey = (key: Uint8Array): string => Buffer.from(key).toString("base64url");

/** @param source named in the error, which never repeats the value */
export const parseMasterKey = (text: string, source: string): Uint8Array => {
  const value = text.trim();
  const key = Buffer.from(value, "base64url");
  if (/^[A-Za-z0-9_-]{43}$/.test(value) && key.toString("base64url") === value) return key;
  throw new AigwError(
    "master_key_invalid",
    `${source} does not hold a master key: 43 characters of base64url are expected. Restore it from your backup.`,
  );
};

/**
 * @throws AigwError `master_key_missing`, `master_key_invalid`, or `insecure_permissions` when others may read the file
 */
export const readMasterKeyFile = (path: string): Uint8Array => {
  assertPrivate(path, "file");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new AigwError(
      "insecure_permissions",
      `${path} cannot be read by this user. It must be a file of this user's, with mode 600.`,
      { cause, details: { path } },
    );
  }
  return parseMasterKey(text, path);
};

/**
 * Refuses a file or folder that group or others can get at.
 * @throws AigwError `insecure_permissions` naming the command that fixes it; `master_key_missing` when there is none
 */
export const assertPrivate = (path: string, kind: "file" | "folder"): void => {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new AigwError(
      "master_key_missing",
      `${path} is missing. Restore it from your backup, or set AIGW_MASTER_KEY.`,
    );
  }
  if (HAS_MODES && (stat.mode & 0o077) !== 0) {
    const mode = kind === "folder" ? "700" : "600";
    const found = (stat.mode & 0o777).toString(8).padStart(3, "0");
    throw new AigwError(
      "insecure_permissions",
      `${path} has mode ${found}, so that other users of this machine can get at it. Run: chmod ${mode} '${path}'`,
      { details: { path, mode: found } },
    );
  }
};
