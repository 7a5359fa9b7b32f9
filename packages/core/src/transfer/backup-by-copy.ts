import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { isAigwError } from "../errors.ts";
import { assertFree } from "../files/assert-free.ts";
import { sweepStale } from "../files/sweep-stale.ts";
import { translateFsError } from "../files/translate-fs-error.ts";
import { randomId } from "../random-id.ts";
import type { OpenedStore } from "../store/engine.ts";
import { locateStore, type StorePlace } from "../store/engines.ts";
import type { BackupFacts, BackupOptions, RestoredFacts, RestoreOptions } from "../store/maintenance.ts";
import { copyStore } from "./copy-store.ts";

// For an engine without files: its backups are those of the embedded store, which each engine can be restored from.

/** A gateway sums up its usage every few minutes, and a copy of one moment then begins anew. */
const ATTEMPTS = 3;

/** See OpenedStore.backup. */
export const backupByCopy = async (
  store: OpenedStore,
  to: string,
  clock: Clock,
  { signal }: BackupOptions = {},
): Promise<BackupFacts> => {
  assertFree(to);
  const staged = `${to}.new-${randomId("", 10)}`;
  try {
    sweepStale(`${to}.new-`);
    mkdirSync(staged, { mode: 0o700 });
    const place = await embeddedIn(staged);
    await copied(store, place, clock, signal);
    const copy = await place.engine.open(place.location, { clock });
    try {
      return await copy.backup(to, { signal });
    } finally {
      await copy.close();
    }
  } catch (error) {
    throw translateFsError(error, to);
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
};

const copied = async (
  store: OpenedStore,
  place: StorePlace,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await copyStore(store, place, { clock, signal });
      return;
    } catch (error) {
      if (attempt === ATTEMPTS || !isAigwError(error, "changed_meanwhile")) throw error;
    }
  }
};

/** See StoreEngine.restore. The file is unpacked, checked and given its new key in a folder for temporary files. */
export const restoreByCopy = async (
  place: StorePlace,
  file: string,
  options: RestoreOptions,
  clock: Clock,
): Promise<RestoredFacts> => {
  const staged = mkdtempSync(join(tmpdir(), "aigw-restore-"));
  try {
    const from = await embeddedIn(staged);
    const facts = await from.engine.restore(from.location, file, options);
    const store = await from.engine.open(from.location, { clock });
    try {
      await copyStore(store, place, { clock });
    } finally {
      await store.close();
    }
    return facts;
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
};

const embeddedIn = (folder: string): Promise<StorePlace> => locateStore(`sqlite:${join(folder, "aigw.db")}`);
