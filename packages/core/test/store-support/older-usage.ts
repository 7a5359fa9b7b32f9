import { renameSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { createDatabaseFile } from "../../src/store/sqlite/files/create-database-file.ts";
import type { Schema } from "../../src/store/sqlite/files/migrations.ts";
import { TRAFFIC_SCHEMA } from "../../src/store/sqlite/traffic/traffic-schema.ts";

/** 1: before the sums of all clients together; 4: before quotas; 5: before what calls were worth; 7: before queues; 8: before jobs; 9: before days of all clients together; 10: before foldings of several transactions. */
export type OlderUsage = 1 | 4 | 5 | 7 | 8 | 9 | 10;

/** As the version of that layout knows it. */
export const olderSchema = (version: OlderUsage): Schema => ({
  ...TRAFFIC_SCHEMA,
  steps: TRAFFIC_SCHEMA.steps.slice(0, version),
});

/**
 * Puts a usage database of an older layout in the place of one that nobody has open, with what that layout has of its
 * records.
 */
export const downgradeUsage = (path: string, version: OlderUsage): void => {
  const older = `${path}.older`;
  createDatabaseFile(older, olderSchema(version), () => undefined);
  const db = new DatabaseSync(older);
  db.prepare("ATTACH ? AS newer").run(path);
  const tables = db.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
  for (const table of tables.all().map(({ name }) => String(name))) {
    const columns = db
      .prepare("SELECT name FROM pragma_table_info(?, 'main')")
      .all(table)
      .map(({ name }) => String(name));
    db.exec(`INSERT INTO main.${table} (${columns.join(", ")}) SELECT ${columns.join(", ")} FROM newer.${table}`);
  }
  if (version < 10) db.exec("DELETE FROM main.meta WHERE key = 'usage_day_totals'");
  if (version === 1) db.exec("DELETE FROM main.meta WHERE key = 'usage_totals'");
  db.close();
  for (const file of [`${path}-wal`, `${path}-shm`, `${older}-wal`, `${older}-shm`]) rmSync(file, { force: true });
  renameSync(older, path);
};
