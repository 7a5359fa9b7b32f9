import { statSync } from "node:fs";
import { AigwError } from "../../../errors.ts";
import type { StoreFile, StoreInspection } from "../../maintenance.ts";
import type { Database } from "./database.ts";

export const inspectFiles = (control: Database, usage: () => Database): StoreInspection => {
  const version = control.get<{ version: string }>("SELECT sqlite_version() AS version")?.version ?? "unknown";
  const files: StoreFile[] = [];
  const problems: AigwError[] = [];
  for (const open of [() => control, usage]) {
    try {
      files.push(inspectFile(open()));
    } catch (error) {
      if (!(error instanceof AigwError)) throw error;
      problems.push(error);
    }
  }
  return { engine: `SQLite ${version}`, files, problems };
};

const inspectFile = (db: Database): StoreFile => ({
  path: db.path,
  bytes: sizeOf(db.path),
  walBytes: sizeOf(`${db.path}-wal`),
  schema: db.get<{ user_version: number }>("PRAGMA user_version")?.user_version ?? 0,
});

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
