import { resolve } from "node:path";
import type { Clock } from "../clock.ts";
import { AigwError } from "../errors.ts";
import type { BackupFacts, BackupOptions, RestoredFacts, RestoreOptions, StoreInspection } from "./maintenance.ts";
import type { StoreSeed } from "./sqlite/control/create-sqlite-store.ts";
import type { MaybePromise, Store } from "./store.ts";

export type { StoreSeed } from "./sqlite/control/create-sqlite-store.ts";

/** A store URL, taken apart. */
export interface StoreLocation {
  readonly engine: "sqlite";
  /** Absolute path of the control database. */
  readonly path: string;
}

/** An opened store and what it needs besides serving: the proof of the master key, and a look at its own health. */
export interface OpenedStore extends Store {
  /** See verifyKeyCheck. */
  readonly keyCheck: string;
  /** Reads everything there is. @returns what is wrong, a line each; empty when it is sound */
  integrityCheck(): MaybePromise<readonly string[]>;
  /** What the engine and its files are like. Cheap; reads no data. */
  inspect(): MaybePromise<StoreInspection>;
  /**
   * Copies everything, as of one moment, into one new file of mode 0600; others read and write on meanwhile. The file is
   * complete or not there.
   * @param to an absolute path where nothing may be yet
   * @throws AigwError `already_exists`, `invalid_value`, `store_*`
   */
  backup(to: string, options?: BackupOptions): Promise<BackupFacts>;
}

export interface OpenStoreOptions {
  readonly clock: Clock;
  /**
   * How long one statement may wait for another process's lock, milliseconds; 5,000 unless given. The embedded engine
   * blocks the thread meanwhile, so a gateway gives 50.
   */
  readonly busyTimeoutMs?: number | undefined;
}

export const DEFAULT_BUSY_TIMEOUT_MS = 5_000;

/**
 * `sqlite:<path>`; a relative path is taken from the working directory.
 * @throws AigwError `invalid_value`, `store_unsupported`; a URL may hold a password, so neither repeats it
 */
export const parseStoreUrl = (url: string): StoreLocation => {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === "mongodb" || scheme === "mongodb+srv") {
    throw new AigwError("store_unsupported", "This build has the embedded store only. Use sqlite:<path> as the store.");
  }
  const path = url.slice("sqlite:".length);
  if (scheme === "sqlite" && /^(?!\/\/[^/])(?!:memory:$)[^\0?#]+$/.test(path))
    return { engine: "sqlite", path: resolve(path) };
  throw new AigwError(
    "invalid_value",
    `The store URL${scheme === undefined ? "" : ` (${scheme}:…)`} is not valid: use sqlite:<path>, such as sqlite:/var/lib/aigw/aigw.db.`,
  );
};

/**
 * Opens an existing store; never creates one.
 * @throws AigwError `invalid_value`, `insecure_permissions`, `store_*`
 */
export const openStore = async (url: string, options: OpenStoreOptions): Promise<OpenedStore> => {
  const { path } = parseStoreUrl(url);
  // Loaded on demand, so that whoever uses one engine does not pay for the other.
  const { SqliteStore } = await import("./sqlite/sqlite-store.ts");
  const { clock, busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS } = options;
  return new SqliteStore(path, { clock, busyTimeoutMs });
};

/** The part of a store that admins write: all that many commands read, and a third of the code to load. */
export type OpenedControl = Pick<OpenedStore, "keyCheck" | "control" | "close">;

/** {@link openStore} without usage, permits and instances. */
export const openControl = async (url: string, options: OpenStoreOptions): Promise<OpenedControl> => {
  const { path } = parseStoreUrl(url);
  const { SqliteControl } = await import("./sqlite/control/control.ts");
  const control = SqliteControl.open(path, options.busyTimeoutMs ?? DEFAULT_BUSY_TIMEOUT_MS);
  return { control, keyCheck: control.keyCheck, close: async () => control.close() };
};

/**
 * Creates a store, complete or not at all, never over an existing one.
 * @returns false when there is one already; it is left as it is
 */
export const createStore = async (url: string, seed: StoreSeed): Promise<boolean> => {
  const { path } = parseStoreUrl(url);
  const { createSqliteStore } = await import("./sqlite/control/create-sqlite-store.ts");
  return createSqliteStore(path, seed);
};

/**
 * Creates a store from a file that {@link OpenedStore.backup} wrote: complete or not at all, never over anything.
 * @throws AigwError `already_exists`, `invalid_value` when the file is no backup, `store_*`, and what `prove` throws
 */
export const restoreStore = async (url: string, file: string, options: RestoreOptions): Promise<RestoredFacts> => {
  const { path } = parseStoreUrl(url);
  const { restoreBackup } = await import("./sqlite/backup/restore-backup.ts");
  return restoreBackup(path, file, options);
};

export interface StoredNames {
  readonly clients: readonly string[];
  readonly services: readonly string[];
}

/**
 * The names in an existing store, read without touching it: for the shell's completion, which must be quick and change
 * nothing. At most `limit` of each, those that start with `prefix`.
 * @throws AigwError `invalid_value`, `insecure_permissions`, `store_*`
 */
export const peekNames = async (url: string, prefix: string, limit: number): Promise<StoredNames> => {
  const { path } = parseStoreUrl(url);
  const { peekSqliteNames } = await import("./sqlite/control/peek-names.ts");
  return peekSqliteNames(path, prefix, limit);
};
