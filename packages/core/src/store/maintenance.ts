import type { AigwError } from "../errors.ts";

/** One file of a store. */
export interface StoreFile {
  readonly path: string;
  readonly bytes: number;
  /** What was written but is not yet in the file itself. */
  readonly walBytes: number;
  /** Version of its layout. */
  readonly schema: number;
}

/** What a store is made of, for whoever looks after it. */
export interface StoreInspection {
  /** Such as `SQLite 3.53.4`. */
  readonly engine: string;
  readonly files: readonly StoreFile[];
  /** Files that could not be looked at. */
  readonly problems: readonly AigwError[];
}

export interface BackupOptions {
  /** Ends it; what was written is taken away. The promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a backup holds. */
export interface BackupFacts {
  /** Wall clock, milliseconds since the epoch: everything stored before is in it. */
  readonly createdAt: number;
  readonly storeId: string;
  /** The head of the change log. */
  readonly revision: number;
  readonly clients: number;
  readonly services: number;
  readonly usageEvents: number;
  /** Size of the file. */
  readonly bytes: number;
}

export interface RestoreOptions {
  /** Proves that the master key at hand opens the backup; called before anything is put in place. See verifyKeyCheck. */
  readonly prove: (keyCheck: string) => void;
  /** Everything was checked; the store's files are put in place next. */
  readonly onProven: () => void;
}
