import { existsSync, mkdirSync, statSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "../files/sync-path.ts";

/**
 * Makes a folder and those that it lies in, where they are missing, each for this user alone. Step by step: Node's own
 * way to make a whole path never ends where a folder takes none, as in /proc.
 * @param path absolute
 * @throws what node:fs throws
 */
export const makeFolder = (path: string): void => {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(path);
  if (!existsSync(parent)) makeFolder(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have been faster.
    if (!has(error, "EEXIST") || !statSync(path).isDirectory()) throw error;
  }
};

/**
 * The same, where the file system may not answer; what it makes survives a power loss.
 * @param run makes each of its calls
 */
export const makeFolderBy = async (path: string, run: <T>(call: () => Promise<T>) => Promise<T>): Promise<void> => {
  const isFolder = async (): Promise<boolean | undefined> => {
    try {
      return (await run(() => stat(path))).isDirectory();
    } catch (error) {
      if (has(error, "ENOENT")) return undefined;
      throw error;
    }
  };
  const found = await isFolder();
  if (found === true) return;
  if (found === undefined && dirname(path) !== path) await makeFolderBy(dirname(path), run);
  try {
    await run(() => mkdir(path, { mode: 0o700 }));
  } catch (error) {
    if (!has(error, "EEXIST") || (await isFolder()) !== true) throw error;
  }
  await run(() => syncFolder(dirname(path)));
};

const has = (error: unknown, code: string): boolean => error instanceof Error && "code" in error && error.code === code;
