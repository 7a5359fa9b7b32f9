import type { ChangeDraft } from "../changes/change.ts";
import type { Clock } from "../clock.ts";
import { AigwError } from "../errors.ts";
import type { ImportOptions, StoreExport } from "../transfer/parts.ts";
import type { BackupFacts, BackupOptions, RestoredFacts, RestoreOptions, StoreInspection } from "./maintenance.ts";
import type { MaybePromise, Store } from "./store.ts";

/**
 * A kind of store: all that anybody outside its folder knows of it. `engines.ts` chooses by the URL's scheme and loads
 * it on demand; the object itself must be cheap to load, so it loads in turn what each method needs.
 *
 * Every method throws AigwError with a `store_*` code when the store cannot be reached or used now, within a bounded
 * time, and no message of it holds a credential.
 */
export interface StoreEngine {
  /** What a URL may begin with, in lower case and without the colon; the first is the engine's name. */
  readonly schemes: readonly [string, ...string[]];
  /** Pure. @throws AigwError `invalid_value`, which does not repeat the URL: see {@link invalidStoreUrl} */
  parse(url: string): StoreLocation;
  /**
   * Looks only, and reads as little as that takes. Whoever looks opens or creates next, so that an engine behind a
   * network may keep its connection for a moment.
   */
  state(location: StoreLocation): Promise<StoreState>;
  /**
   * Creates a store, complete or not at all, never over an existing one, of any number of processes that do so at once.
   * @returns false when there is one already; it is left as it is
   */
  create(location: StoreLocation, seed: StoreSeed): Promise<boolean>;
  /** Opens an existing store; never creates one. @throws AigwError `insecure_permissions`, `store_*` */
  open(location: StoreLocation, options: OpenStoreOptions): Promise<OpenedStore>;
  /** {@link open} without usage, permits and instances. */
  openControl(location: StoreLocation, options: OpenStoreOptions): Promise<OpenedControl>;
  /**
   * Makes sure that a restoration finds nothing of a store there.
   * @param resumed an earlier restoration was cut off, so that what lies there may be its own: that is set aside
   * @throws AigwError `already_exists`, naming what is there
   */
  vacate(location: StoreLocation, resumed: boolean): Promise<void>;
  /**
   * Creates a store from a file that {@link OpenedStore.backup} wrote: complete or not at all, never over anything.
   * @throws AigwError `already_exists`, `invalid_value` when the file is no backup, `store_*`, and what `prove` throws
   */
  restore(location: StoreLocation, file: string, options: RestoreOptions): Promise<RestoredFacts>;
  /**
   * Creates a store from another one, of whatever engine, where none is and nothing of one but what an import left that
   * was cut off. It is a store once it is complete and `verify` has seen it; till then `state` does not call it one.
   * Absent: this engine cannot.
   * @throws AigwError `already_exists`, `store_*`, and what `verify` throws
   */
  importAll?(location: StoreLocation, source: StoreExport, options: ImportOptions): Promise<void>;
  /**
   * The names in an existing store, read without touching it: for the shell's completion, which must be quick and
   * change nothing. At most `limit` of each, those that start with `prefix`.
   */
  peekNames(location: StoreLocation, prefix: string, limit: number): Promise<StoredNames>;
  /** What lies on this machine and must be this user's alone; none for an engine behind a network. */
  privateParts(location: StoreLocation): readonly PrivatePart[];
}

/** A store URL, taken apart. */
export interface StoreLocation {
  /** The engine's name, such as `sqlite`. */
  readonly engine: string;
  /** As it opens the store; may hold a password. */
  readonly url: string;
  /** For people and logs: no credentials in it. */
  readonly shown: string;
  /**
   * For an engine of files: absolute path of the one that the store stands and falls with. The others lie beside it, and
   * `<name>:<path>` is the URL. Absent for an engine behind a network.
   */
  readonly path?: string;
}

/**
 * `present`: there, whether or not it is sound. `absent`: nothing of it is there, or only what the creation of one left
 * that was cut off. Else parts of one whose main part is missing: data was lost, and no new store may be made there.
 */
export type StoreState = "present" | "absent" | { readonly remains: string };

/** A file or folder that only this user may get at. */
export interface PrivatePart {
  readonly path: string;
  readonly kind: "file" | "folder";
}

/** What a new store starts with. */
export interface StoreSeed {
  readonly storeId: string;
  /** See sealKeyCheck. */
  readonly keyCheck: string;
  /** Revisions 1, 2, … */
  readonly changes: readonly ChangeDraft[];
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number;
  readonly actor: string;
}

/** An opened store and what it needs besides serving: the proof of the master key, and a look at its own health. */
export interface OpenedStore extends Store {
  /** See verifyKeyCheck. */
  readonly keyCheck: string;
  /** Reads everything there is. @returns what is wrong, a line each; empty when it is sound */
  integrityCheck(): MaybePromise<readonly string[]>;
  /**
   * Finishes what earlier changes left undone, such as secrets that are out of the log and not yet out of the files. For
   * a gateway's keeper: it may take seconds, and the embedded engine blocks the thread. Absent: nothing is left undone.
   */
  upkeep?(): MaybePromise<void>;
  /**
   * Moves what was committed from the log to its place once much has gathered there, so that no call has to: waits for
   * the disk and blocks the thread. For a gateway's keeper, some times a second. Absent: the engine sees to it elsewhere.
   */
  checkpoint?(): void;
  /** Everything, for another store. Close it before the store. Absent: this engine cannot. */
  exportAll?(): Promise<StoreExport>;
  /** What the engine is like, and its files if it has any. Cheap; reads no data. */
  inspect(): MaybePromise<StoreInspection>;
  /**
   * Copies everything, as of one moment, into one new file of mode 0600; others read and write on meanwhile. The file is
   * complete or not there.
   * @param to an absolute path where nothing may be yet
   * @throws AigwError `already_exists`, `invalid_value`, `store_*`
   */
  backup(to: string, options?: BackupOptions): Promise<BackupFacts>;
}

/** The part of a store that admins write: all that many commands read, and a third of the code to load. */
export type OpenedControl = Pick<OpenedStore, "keyCheck" | "control" | "close">;

export interface OpenStoreOptions {
  readonly clock: Clock;
  /**
   * How long one statement may wait for another process's lock, milliseconds; 5,000 unless given. The embedded engine
   * blocks the thread meanwhile, so a gateway gives 50.
   */
  readonly busyTimeoutMs?: number | undefined;
}

export const DEFAULT_BUSY_TIMEOUT_MS = 5_000;

export interface StoredNames {
  readonly clients: readonly string[];
  readonly services: readonly string[];
  readonly plans: readonly string[];
}

/** A URL may hold a password, so that nothing but a scheme is repeated. */
export const invalidStoreUrl = (scheme: string | undefined): AigwError =>
  new AigwError(
    "invalid_value",
    `The store URL${scheme === undefined ? "" : ` (${scheme}:…)`} is not valid: use sqlite:<path>, such as sqlite:/var/lib/aigw/aigw.db, or mongodb://<hosts>/<database>.`,
  );
