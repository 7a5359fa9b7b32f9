import type { ChangeDraft } from "../../changes/change.ts";
import type { Clock } from "../../clock.ts";
import type { BackupFacts, BackupOptions, StoreInspection } from "../maintenance.ts";
import type { OpenedStore } from "../open-store.ts";
import { createBackup } from "./backup/create-backup.ts";
import { appendChange, SqliteControl } from "./control.ts";
import { CONTROL_SCHEMA } from "./control-schema.ts";
import { createDatabaseFile } from "./create-database-file.ts";
import { Database } from "./database.ts";
import { inspectFiles } from "./inspect-files.ts";
import { SqliteTraffic } from "./traffic.ts";
import { usagePathOf } from "./usage-path.ts";

export interface SqliteStoreOptions {
  readonly clock: Clock;
  /** How long a statement may wait for another process's lock, blocking this thread; milliseconds. */
  readonly busyTimeoutMs: number;
  readonly bootId?: string | undefined;
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

/** The embedded store: two SQLite files. */
export class SqliteStore implements OpenedStore {
  readonly control: SqliteControl;
  readonly traffic: SqliteTraffic;
  readonly keyCheck: string;
  readonly #db: Database;
  readonly #clock: Clock;

  /**
   * Opens the control database, which must exist; the usage database follows on first use.
   * @throws AigwError `insecure_permissions`, `store_*`
   */
  constructor(path: string, options: SqliteStoreOptions) {
    this.#clock = options.clock;
    this.#db = Database.open(path, CONTROL_SCHEMA, options.busyTimeoutMs);
    try {
      this.control = new SqliteControl(this.#db);
    } catch (error) {
      this.#db.close();
      throw error;
    }
    this.keyCheck = this.control.keyCheck;
    this.traffic = new SqliteTraffic({ ...options, path: usagePathOf(path) });
  }

  /** Reads both files entirely. @returns what is wrong with them, a line each; empty when they are sound */
  integrityCheck(): readonly string[] {
    return [...this.#db.integrityProblems(), ...this.traffic.integrityProblems()];
  }

  inspect(): StoreInspection {
    return inspectFiles(this.#db, () => this.traffic.database());
  }

  backup(to: string, options: BackupOptions = {}): Promise<BackupFacts> {
    const sources = { control: this.#db, usage: this.traffic.database() };
    return createBackup(sources, to, this.#clock.now(), options.signal);
  }

  async close(): Promise<void> {
    this.traffic.close();
    this.#db.close();
  }
}

/** @returns false when `path` exists already; then nothing was done */
export const createSqliteStore = (path: string, seed: StoreSeed): boolean =>
  createDatabaseFile(path, CONTROL_SCHEMA, (db) => {
    db.run("INSERT INTO meta VALUES ('store_id', ?), ('key_check', ?)", seed.storeId, seed.keyCheck);
    for (const [rev, draft] of seed.changes.entries()) appendChange(db, rev, draft, seed);
  });
