import type { BackupFacts } from "../../maintenance.ts";
import type { Database } from "../files/database.ts";

/** Counts what two copies hold, and closes them. */
export const readFacts = (control: Database, usage: Database, createdAt: number): Omit<BackupFacts, "bytes"> => {
  try {
    return {
      createdAt,
      storeId: readMeta(control, "store_id"),
      revision: numberOf(control, "SELECT coalesce(max(rev), 0) AS n FROM changes"),
      clients: numberOf(control, "SELECT count(*) AS n FROM clients"),
      services: numberOf(control, "SELECT count(*) AS n FROM services"),
      usageEvents: numberOf(usage, "SELECT count(*) AS n FROM usage"),
    };
  } finally {
    control.close();
    usage.close();
  }
};

export const readMeta = (control: Database, key: "store_id" | "key_check"): string =>
  control.get<{ value: string }>("SELECT value FROM meta WHERE key = ?", key)?.value ?? "";

const numberOf = (db: Database, sql: string): number => db.get<{ n: number }>(sql)?.n ?? 0;
