import { type Stats, statSync } from "node:fs";
import { backup, DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { AigwError } from "../../../errors.ts";
import { translateFsError } from "../../../files/translate-fs-error.ts";
import { assertPrivate } from "../../../sealing/master-key.ts";
import { assertOwnSchema, migrate, type Schema } from "./migrations.ts";
import { assertSqliteVersion } from "./sqlite-version.ts";
import { movedMessage, translateSqliteError } from "./translate-error.ts";

const PAGES_PER_STEP = 2_000;
const CHECKPOINT_TURNS = 3;

interface LogPages {
  readonly log: number;
  readonly checkpointed: number;
}

/** One connection to one database file, with its statements prepared once. Everything it throws is translated. */
export class Database {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #file: Stats;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(path: string, db: DatabaseSync, file: Stats) {
    this.path = path;
    this.#db = db;
    this.#file = file;
  }

  /**
   * Opens an existing database; never creates one.
   * @param busyTimeoutMs how long a statement may wait for another process's lock, blocking this thread
   * @throws AigwError `insecure_permissions`, `store_*`
   */
  static open(path: string, schema: Schema, busyTimeoutMs: number): Database {
    const file = checkFile(path);
    // mode=rw: a file that vanished since the check must not be recreated empty.
    const url = pathToFileURL(path);
    url.searchParams.set("mode", "rw");
    const database = Database.#connect(path, url, file, busyTimeoutMs);
    try {
      assertSqliteVersion(database);
      // Before anything that could write: a newer or foreign file must stay as it is.
      assertOwnSchema(database, schema);
      database.#configure(schema);
      migrate(database, schema);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /**
   * Opens an existing database to read it: no migration, no change of any kind.
   * @param still nobody else has the file: then it is read without the side files of WAL mode
   * @throws AigwError `insecure_permissions`, `store_*`
   */
  static peek(path: string, schema: Schema, options: { busyTimeoutMs: number; still: boolean }): Database {
    const file = checkFile(path);
    const url = pathToFileURL(path);
    url.searchParams.set("mode", "ro");
    if (options.still) url.searchParams.set("immutable", "1");
    const database = Database.#connect(path, url, file, options.busyTimeoutMs);
    try {
      assertSqliteVersion(database);
      assertOwnSchema(database, schema);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Builds a new database in `path`, an empty file of the caller's. Durable when it returns; leaves no side files. */
  static build(path: string, schema: Schema, fill: (db: Database) => void): void {
    const database = Database.#connect(path, pathToFileURL(path), statSync(path), 0);
    try {
      assertSqliteVersion(database);
      database.#configure(schema);
      migrate(database, schema);
      database.immediate(() => fill(database));
    } finally {
      database.close();
    }
  }

  static #connect(path: string, url: URL, file: Stats, busyTimeoutMs: number): Database {
    try {
      return new Database(path, new DatabaseSync(url, { timeout: busyTimeoutMs }), file);
    } catch (error) {
      throw translateSqliteError(error, path);
    }
  }

  #configure(schema: Schema): void {
    const mode = this.get<{ journal_mode: string }>("PRAGMA journal_mode = WAL")?.journal_mode;
    if (mode !== "wal") {
      throw new AigwError("store_unsupported", `${this.path} lies on a file system that SQLite's WAL mode cannot use.`);
    }
    for (const pragma of schema.pragmas) this.exec(`PRAGMA ${pragma}`);
  }

  /** @returns the number of rows changed */
  run(sql: string, ...values: SQLInputValue[]): number {
    try {
      return Number(this.#prepared(sql).run(...values).changes);
    } catch (error) {
      throw translateSqliteError(error, this.path);
    }
  }

  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    try {
      return this.#prepared(sql).get(...values) as Row | undefined;
    } catch (error) {
      throw translateSqliteError(error, this.path);
    }
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    try {
      return this.#prepared(sql).all(...values) as Row[];
    } catch (error) {
      throw translateSqliteError(error, this.path);
    }
  }

  /** Rows as arrays, in the order of the columns: for many small ones, which as objects cost half as much again. */
  arrays<Row extends readonly unknown[]>(sql: string, ...values: SQLInputValue[]): Row[] {
    try {
      const statement = this.#prepared(sql);
      statement.setReturnArrays(true);
      return statement.all(...values) as unknown[] as Row[];
    } catch (error) {
      throw translateSqliteError(error, this.path);
    }
  }

  /** Runs statements that return nothing and are not worth keeping. */
  exec(sql: string): void {
    try {
      this.#db.exec(sql);
    } catch (error) {
      throw translateSqliteError(error, this.path);
    }
  }

  /** All of `work` or none of it. Takes the write lock first: a transaction that upgrades later fails at once when busy. */
  immediate<T>(work: () => T): T {
    return this.#transaction("BEGIN IMMEDIATE", work);
  }

  /** Everything `work` reads is of one moment. */
  reading<T>(work: () => T): T {
    return this.#transaction("BEGIN", work);
  }

  #transaction<T>(begin: string, work: () => T): T {
    // What a rollback that failed left open.
    this.#rollBack();
    this.run(begin);
    try {
      const result = work();
      this.run("COMMIT");
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  #rollBack(): void {
    // A full disk makes SQLite roll back by itself.
    if (!this.#db.isOpen || !this.#db.isTransaction) return;
    try {
      this.run("ROLLBACK");
    } catch {
      // The caller's error says more than this one would.
    }
  }

  /** From now on this connection sees the present moment, whatever others write, until {@link unpin}. */
  pin(): void {
    this.#rollBack();
    this.run("BEGIN");
    // BEGIN alone decides on nothing: the first read does.
    this.get("SELECT count(*) FROM sqlite_schema");
  }

  unpin(): void {
    this.#rollBack();
  }

  /**
   * Copies what this connection sees into `path`, an empty file of the caller's. Pin it first: SQLite begins a copy anew
   * whenever somebody writes meanwhile.
   * @param onStep called every few MiB; what it throws ends the copy
   */
  async copyTo(path: string, onStep: () => void): Promise<void> {
    try {
      await backup(this.#db, path, { rate: PAGES_PER_STEP, progress: onStep });
    } catch (error) {
      throw translateSqliteError(error, path);
    }
  }

  /**
   * Moves what was committed into the main file once so many pages lie in the log; others read and write meanwhile, and
   * nobody is waited for. Only a log of which all is moved begins anew, so what came meanwhile is moved as well: that is
   * little. Where others commit faster than the disk answers, one of them moves the rest of it.
   */
  checkpoint(enoughPages: number): void {
    let { log, checkpointed } = this.#checkpoint("NOOP");
    if (log < enoughPages) return;
    for (let turn = 0; turn < CHECKPOINT_TURNS && checkpointed < log; turn += 1)
      ({ log, checkpointed } = this.#checkpoint("PASSIVE"));
  }

  /** @returns pages in the log, and how many of them are in the main file; -1 and -1 when somebody else is at it */
  #checkpoint(mode: "NOOP" | "PASSIVE"): LogPages {
    return this.get<LogPages>(`PRAGMA wal_checkpoint(${mode})`) ?? { log: 0, checkpointed: 0 };
  }

  /** Changes whenever another connection has committed; own commits leave it as it is. About 5 µs. */
  dataVersion(): number {
    return this.get<{ data_version: number }>("PRAGMA data_version")?.data_version ?? 0;
  }

  /** @throws AigwError `store_unavailable` when the file at `path` is no longer the one that was opened */
  assertInPlace(): void {
    if (!this.isInPlace()) throw new AigwError("store_unavailable", movedMessage(this.path));
  }

  isInPlace(): boolean {
    const found = statOf(this.path);
    return found !== undefined && found.ino === this.#file.ino && found.dev === this.#file.dev;
  }

  /** @returns what is wrong with the file, empty when it is sound. Reads all of it. */
  integrityProblems(): readonly string[] {
    const rows = this.all<{ integrity_check: string }>("PRAGMA integrity_check");
    return rows.map((row) => row.integrity_check).filter((line) => line !== "ok");
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

const checkFile = (path: string): Stats => {
  const file = statOf(path);
  if (file === undefined) {
    throw new AigwError("store_unavailable", `The database ${path} is missing. Restore it from a backup.`);
  }
  if (!file.isFile()) {
    throw new AigwError(
      "store_unavailable",
      `${path} is not a file, so it cannot be the database. Check the store's path.`,
    );
  }
  if (file.size === 0) {
    // SQLite would take it for a new database.
    throw new AigwError("store_corrupt", `The database ${path} is empty (0 bytes). Restore it from a backup.`);
  }
  assertPrivate(path, "file");
  return file;
};

const statOf = (path: string): Stats | undefined => {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw translateFsError(error, path);
  }
};
