import type { ChangeDraft } from "../changes/change.ts";
import type { AigwError } from "../errors.ts";
import type { Keyring } from "../keys/signing-key.ts";

/** One file of a store. */
export interface StoreFile {
  readonly path: string;
  readonly bytes: number;
  /** What was written but is not yet in the file itself. */
  readonly walBytes: number;
  /** Version of its layout. */
  readonly schema: number;
}

/** A server that a store is on, as this process reaches it. */
export interface StoreServer {
  /** Host and port. */
  readonly address: string;
  readonly role: "primary" | "secondary" | "single" | "router" | "other" | "unknown";
}

/** What an engine behind a network is like. */
export interface StoreServers {
  readonly members: readonly StoreServer[];
  /** Whether what is stored survives the loss of a server. */
  readonly replicated: boolean;
  /** Whether nobody on the way can read or alter it. */
  readonly encrypted: boolean;
  readonly collections: readonly { readonly name: string; readonly documents: number; readonly bytes: number }[];
}

/** What a store is made of, for whoever looks after it. */
export interface StoreInspection {
  /** Such as `SQLite 3.53.4`, or `MongoDB 6.0.5, replica set aigw of 3`. */
  readonly engine: string;
  /** None where the store is behind a network. */
  readonly files: readonly StoreFile[];
  /** Absent where the store is files. */
  readonly servers?: StoreServers;
  /** Parts that could not be looked at. */
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

export interface RestoredFacts extends BackupFacts {
  /** The store's own head: one more than the backup's, by the change that {@link RestoreOptions.renew} made. */
  readonly head: number;
}

export interface RestoreOptions {
  /** Proves that the master key at hand opens the backup; called before anything is put in place. See verifyKeyCheck. */
  readonly prove: (keyCheck: string) => void;
  /** The change that is made to what was restored before anything is put in place, from the backup's signing keys. */
  readonly renew: (keyring: Keyring) => ChangeDraft;
  /** Recorded with that change: wall clock, milliseconds since the epoch, and who restores. */
  readonly at: number;
  readonly actor: string;
  /** Everything was checked; the store's files are put in place next. */
  readonly onProven: () => void;
}
