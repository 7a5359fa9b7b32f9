import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "../files/sync-path.ts";

/**
 * Makes a folder and those that it lies in, where they are missing, as makeFolder of the home does, on a file system that
 * may not answer; what it makes survives a power loss.
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
