import type { Clock } from "../../clock.ts";
import type { StoreExport } from "../../transfer/parts.ts";
import type { OpenedStore } from "../engine.ts";
import type { BackupFacts, BackupOptions, StoreInspection } from "../maintenance.ts";
import { SqliteControl } from "./control/control.ts";
import type { Database } from "./files/database.ts";
import { presencePathOf, usagePathOf } from "./files/paths.ts";
import { SqliteTraffic } from "./traffic/traffic.ts";

export interface SqliteStoreOptions {
  readonly clock: Clock;
  /** How long a statement may wait for another process's lock, blocking this thread; milliseconds. */
  readonly busyTimeoutMs: number;
  readonly bootId?: string | undefined;
}

/** Events read in a step, when somebody waits for the end of a folding. */
const SETTLED_AT_ONCE = 1_000;

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
    this.control = SqliteControl.open(path, options.busyTimeoutMs);
    this.#db = this.control.database;
    this.keyCheck = this.control.keyCheck;
    this.traffic = new SqliteTraffic({
      ...options,
      path: usagePathOf(path),
      presencePath: presencePathOf(path),
      control: this.control,
    });
  }

  /** Reads both files entirely. @returns what is wrong with them, a line each; empty when they are sound */
  integrityCheck(): readonly string[] {
    return [...this.#db.integrityProblems(), ...this.traffic.integrityProblems()];
  }

  upkeep(): void {
    this.control.eraseRetired();
  }

  checkpoint(): void {
    this.traffic.checkpoint();
  }

  async inspect(): Promise<StoreInspection> {
    const { inspectFiles } = await import("./files/inspect-files.ts");
    return inspectFiles(this.#db, () => this.traffic.database());
  }

  async exportAll(): Promise<StoreExport> {
    const { SqliteExport } = await import("./transfer/export-store.ts");
    const sources = { control: this.#db, usage: this.traffic.database() };
    const steady = this.traffic.steadyNow();
    return SqliteExport.whenSettled(sources, steady, () => this.traffic.foldUsage(SETTLED_AT_ONCE));
  }

  async backup(to: string, options: BackupOptions = {}): Promise<BackupFacts> {
    const { createBackup } = await import("./backup/create-backup.ts");
    const sources = { control: this.#db, usage: this.traffic.database() };
    return createBackup(sources, to, this.#clock.now(), options.signal);
  }

  async close(): Promise<void> {
    this.traffic.close();
    this.control.close();
  }
}
