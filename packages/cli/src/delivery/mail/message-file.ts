import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { AigwError } from "@aigw/core/errors";
import { makeFolder } from "@aigw/core/home";
import { randomId } from "@aigw/core/random-id";

/** A place for a message on disk, taken before the password that will stand in it exists. */
export interface MessageFile {
  readonly path: string;
  /** Durable when it returns. */
  write(bytes: Uint8Array): void;
  /** Leaves nothing behind. No error when it was written already. */
  discard(): void;
}

/**
 * Takes a place for a file that only its owner may read.
 * @param force replace a file that is there
 * @throws AigwError `already_exists`, or `failed` when the folder does not take a file
 */
export const reserveMessageFile = (path: string, force: boolean): MessageFile => {
  // Replaced in one step, so that a crash leaves the old file or the new one.
  const written = force ? join(dirname(path), `.${basename(path)}.${randomId("", 8)}`) : path;
  if (force && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) throw refused(path, "it is a folder");
  let fd: number | undefined = translated(path, () => openSync(written, "wx", 0o600));
  const close = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  return {
    path,
    write(bytes) {
      translated(path, () => {
        if (fd === undefined) throw new TypeError("written or discarded already");
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
        fsyncSync(fd);
        close();
        if (written !== path) renameSync(written, path);
      });
    },
    discard() {
      if (fd === undefined) return;
      close();
      rmSync(written, { force: true });
    },
  };
};

/** Makes the folder, for its owner only, where there is none. @throws AigwError `failed` */
export const makePrivateFolder = (path: string): void => {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there !== undefined && !there.isDirectory()) throw refused(path, "it is not a folder");
  translated(path, () => makeFolder(path));
};

const translated = <T>(path: string, work: () => T): T => {
  try {
    return work();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code === "EEXIST") {
      throw new AigwError("already_exists", `${path} is there already. Choose another, or replace it with --force.`, {
        cause,
      });
    }
    throw refused(path, REASONS[code] ?? (code || "it failed"), cause);
  }
};

const refused = (path: string, why: string, cause?: unknown): AigwError =>
  new AigwError("failed", `${path} cannot be written: ${why}.`, { cause });

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "its folder is not there",
  ENOTDIR: "its folder is a file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the disk is read-only",
  ENOSPC: "the disk is full",
  EISDIR: "it is a folder",
  ENAMETOOLONG: "the name is too long",
};
