import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { ChangeDraft } from "../changes/change.ts";
import type { SettingKey } from "../config/settings.ts";
import { sweepStale } from "../files/sweep-stale.ts";
import { syncPath } from "../files/sync-path.ts";
import { randomId } from "../random-id.ts";
import { assertPrivate, parseMasterKey } from "../sealing/master-key.ts";
import { locateStore, type StorePlace } from "../store/engines.ts";
import { defaultStoreUrl, masterKeyPath, pendingPath } from "./home-paths.ts";
import { type HomeLocation, inspectHome } from "./inspect-home.ts";
import { createKeyFile, readOrCreateKeyFile, writePrivateFile } from "./key-file.ts";
import { makeFolder } from "./make-folder.ts";
import { newStoreSeed } from "./new-store-seed.ts";
import { translateHomeError } from "./translate-home-error.ts";

export interface InitHomeOptions extends HomeLocation {
  /** Wall clock, milliseconds since the epoch, and who acts: for the first changes. */
  readonly at: number;
  readonly actor: string;
  /** Stored as the changes after the first signing key, in this order. */
  readonly settings?: ReadonlyMap<SettingKey, string> | undefined;
}

/**
 * Creates the home: master key, control database, first signing key, settings. All of it or nothing, also when killed at
 * any moment, and never over anything that is there.
 *
 * Where the home is absent or an empty folder, it is built beside it and renamed into place. Where that cannot be done (a
 * mount point, a folder with other files in it, a store elsewhere or behind a network) the files are placed one by one, the store last;
 * until then the home counts as empty, and the next call finishes the work with the key that is there.
 * @returns whether this call created it; false when it was ready, or when another process was faster
 * @throws AigwError `home_incomplete`, `invalid_value`, `insecure_permissions`, `master_key_invalid`, `store_*`
 */
export const initHome = async (given: InitHomeOptions): Promise<{ readonly created: boolean }> => {
  const home = resolve(given.home);
  const options = { ...given, home };
  try {
    if ((await inspectHome(options)) === "ready") return { created: false };
    const place = await locateStore(options.storeUrl ?? defaultStoreUrl(home));
    if (isInside(home, place) && isAbsentOrEmpty(home) && (await createByRename(options, place)))
      return { created: true };
    // Also when the rename lost against another process: it may have completed the home or only begun it.
    if ((await inspectHome(options)) === "ready") return { created: false };
    return { created: await createInPlace(options, place) };
  } catch (error) {
    throw translateHomeError(error, home);
  }
};

/** @returns false when the home could not be renamed into place */
const createByRename = async (options: InitHomeOptions, { engine, location }: StorePlace): Promise<boolean> => {
  const { home } = options;
  const parent = dirname(home);
  makeFolder(parent);
  sweepStale(`${home}.init-`);
  const staged = `${home}.init-${randomId("", 10)}`;
  try {
    if (!tryTo(() => mkdirSync(staged, { mode: 0o700 }))) return false;
    const key = options.masterKey ? envKey(options.masterKey) : createKeyFile(masterKeyPath(staged));
    const inStaged = engine.parse(`${location.engine}:${join(staged, basename(location.path ?? ""))}`);
    await engine.create(inStaged, newStoreSeed(key, drafts(options), options));
    syncPath(staged);
    if (!tryTo(() => renameSync(staged, home))) return false;
    syncPath(parent);
    return true;
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
};

const createInPlace = async (options: InitHomeOptions, { engine, location }: StorePlace): Promise<boolean> => {
  const { home, masterKey } = options;
  if (masterKey) return engine.create(location, newStoreSeed(envKey(masterKey), drafts(options), options));
  makeFolder(home);
  assertPrivate(home, "folder");
  writePrivateFile(pendingPath(home), "");
  // A power loss must not keep the key and lose the note.
  syncPath(home);
  const created = await engine.create(location, newStoreSeed(readOrCreateKeyFile(home), drafts(options), options));
  rmSync(pendingPath(home), { force: true });
  return created;
};

const envKey = (text: string): Uint8Array => parseMasterKey(text, "AIGW_MASTER_KEY");

const drafts = (options: InitHomeOptions): readonly ChangeDraft[] =>
  [...(options.settings ?? [])].map(([subject, after]) => ({ action: "config.set", subject, after }));

const isInside = (home: string, { location }: StorePlace): boolean =>
  location.path !== undefined && dirname(location.path) === home;

const isAbsentOrEmpty = (home: string): boolean => {
  try {
    return readdirSync(home).length === 0;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return true;
    throw error;
  }
};

/**
 * @returns false for the reasons to go file by file instead: the target has come to be, is a mount point or is on another
 * file system, or only the home itself may be written
 */
const tryTo = (step: () => void): boolean => {
  try {
    step();
    return true;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (["ENOTEMPTY", "EEXIST", "ENOTDIR", "EBUSY", "EXDEV", "EACCES", "EPERM", "EROFS"].includes(String(code)))
      return false;
    throw error;
  }
};
