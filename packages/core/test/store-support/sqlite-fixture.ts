import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createSealer, sealKeyCheck } from "../../src/sealing/sealer.ts";
import type { StoreSeed } from "../../src/store/engine.ts";
import { createSqliteStore } from "../../src/store/sqlite/control/create-sqlite-store.ts";
import { SqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { FixedClock } from "../../src/testing/index.ts";
import { temporaryFolder } from "./folders.ts";

export const SEED: StoreSeed = {
  storeId: "00000000-0000-4000-8000-000000000000",
  keyCheck: sealKeyCheck(createSealer(new Uint8Array(32))),
  changes: [],
  at: 1_000,
  actor: "test",
};

export interface SqliteFixture {
  readonly folder: string;
  readonly path: string;
  readonly url: string;
  readonly clock: FixedClock;
  open(options?: {
    readonly busyTimeoutMs?: number;
    readonly bootId?: string;
    readonly clock?: FixedClock;
  }): SqliteStore;
  /** A connection past the store's code, to harm or to look. */
  raw(path?: string): DatabaseSync;
}

/** A new store without changes, in a folder of its own. */
export const sqliteFixture = (folder: string = temporaryFolder()): SqliteFixture => {
  const path = join(folder, "aigw.db");
  createSqliteStore(path, SEED);
  const clock = new FixedClock();
  return {
    folder,
    path,
    url: `sqlite:${path}`,
    clock,
    open: (options = {}) => new SqliteStore(path, { clock, busyTimeoutMs: 5_000, bootId: "boot-1", ...options }),
    raw: (file = path) => new DatabaseSync(file),
  };
};
