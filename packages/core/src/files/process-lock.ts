import { existsSync, type Stats, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { createPrivateFile } from "./private-file.ts";

/** https://www.sqlite.org/rescode.html#busy */
const BUSY = 5;

/**
 * A file that this process holds locked until it ends, however it ends: the system lets go of the lock. Nothing is
 * written, so that a full disk, or one that has become read-only, changes nothing. SQLite takes the lock (fcntl, or what
 * the system has instead), since Node offers none; the file stays empty. Nobody may open it by other means in this
 * process: to close it again would drop the lock (fcntl(2)).
 */
export class ProcessLock {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #file: Stats;

  private constructor(path: string, db: DatabaseSync, file: Stats) {
    this.#path = path;
    this.#db = db;
    this.#file = file;
  }

  /** Creates the file where it is missing. @returns undefined when somebody else holds it. @throws what node:fs throws */
  static take(path: string): ProcessLock | undefined {
    if (!existsSync(path)) createPrivateFile(path);
    const file = statSync(path);
    const db = new DatabaseSync(path, { timeout: 0 });
    try {
      // Without a journal beside it, which would need a block of the disk.
      db.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      return new ProcessLock(path, db, file);
    } catch (error) {
      db.close();
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  /** False when the file was deleted or replaced: whoever looks there no longer finds this lock. */
  isInPlace(): boolean {
    const found = statSync(this.#path, { throwIfNoEntry: false });
    return found !== undefined && found.ino === this.#file.ino && found.dev === this.#file.dev;
  }

  release(): void {
    if (this.#db.isOpen) this.#db.close();
  }
}

/**
 * `held`: whoever took the lock still runs. `free`: it has ended. `unknown`: the file is missing, or cannot be opened.
 */
export const lockState = (path: string): "held" | "free" | "unknown" => {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 0 });
    db.prepare("SELECT count(*) FROM sqlite_schema").get();
    return "free";
  } catch (error) {
    return isBusy(error) ? "held" : "unknown";
  } finally {
    db?.close();
  }
};

const isBusy = (error: unknown): boolean =>
  error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === BUSY;
