import { randomBytes } from "node:crypto";
import { readFileSync, type Stats, statSync } from "node:fs";
import { platform } from "node:os";
import { env, getegid, getgroups } from "node:process";
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
    throw unreadable(path, cause);
  }
  return parseMasterKey(text, path);
};

/**
 * Refuses a file or folder that group or others can get at; with {@link GROUP_ACCESS} a group of this process's may.
 * @throws AigwError `insecure_permissions` naming the command that fixes it; `master_key_missing` when there is none
 */
export const assertPrivate = (path: string, kind: "file" | "folder"): void => {
  const stat = statOf(path);
  if (stat === undefined) {
    throw new AigwError(
      "master_key_missing",
      `${path} is missing. Restore it from your backup, or set AIGW_MASTER_KEY.`,
    );
  }
  assertPrivateStat(stat, path, kind);
};

/** The same, of what the system says of it. */
export const assertPrivateStat = (stat: Pick<Stats, "mode" | "gid">, path: string, kind: "file" | "folder"): void => {
  if (!HAS_MODES || (stat.mode & 0o077) === 0) return;
  const isForGroup = (stat.mode & OTHERS) === 0 && isOwnGroup(stat.gid);
  if (isForGroup && mayGroup()) return;
  const mode = kind === "folder" ? "700" : "600";
  const found = (stat.mode & 0o777).toString(8).padStart(3, "0");
  const who =
    mayGroup() && (stat.mode & OTHERS) === 0
      ? `mode ${found} and belongs to group ${stat.gid}, which this process is not in, so that other users`
      : `mode ${found}, so that other users`;
  const meant = isForGroup ? ` (if its group ${stat.gid} is meant to, as with fsGroup, set ${GROUP_ACCESS}=1)` : "";
  throw new AigwError(
    "insecure_permissions",
    `${path} has ${who} of this machine can get at it${meant}. Run: chmod ${mode} '${path}'`,
    { details: { path, mode: found } },
  );
};

/**
 * The group that may get at a file or folder because {@link GROUP_ACCESS} says so; undefined when none does, and when
 * there is no such file.
 */
export const groupWithAccess = (path: string): number | undefined => {
  const stat = HAS_MODES ? statOf(path) : undefined;
  return stat !== undefined && (stat.mode & GROUP) !== 0 && mayGroup() ? stat.gid : undefined;
};

const statOf = (path: string): Stats | undefined => {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw unreadable(path, cause);
  }
};

const unreadable = (path: string, cause: unknown): AigwError =>
  new AigwError(
    "insecure_permissions",
    `${path} cannot be read by this user. It must be a file of this user's, with mode 600.`,
    { cause, details: { path } },
  );

/**
 * The switch for volumes on which all files belong to a group, as Kubernetes makes them for `fsGroup`. Read here, since
 * it is the process's own, as its groups are: no thread, worker or child that opens a store can forget to hand it on.
 */
const GROUP_ACCESS = "AIGW_GROUP_ACCESS";

const mayGroup = (): boolean => env["AIGW_GROUP_ACCESS"] === "1";

const isOwnGroup = (gid: number): boolean => gid === getegid?.() || getgroups?.().includes(gid) === true;

const GROUP = 0o070;
const OTHERS = 0o007;
