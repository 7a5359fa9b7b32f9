import type { StoredNames } from "../../engine.ts";
import { Database } from "../files/database.ts";
import { CONTROL_SCHEMA } from "./control-schema.ts";

/** Somebody waits at the prompt: rather no names than late ones. */
const BUSY_TIMEOUT_MS = 20;

export const peekSqliteNames = (path: string, prefix: string, limit: number): StoredNames => {
  const db = Database.peek(path, CONTROL_SCHEMA, { busyTimeoutMs: BUSY_TIMEOUT_MS, still: false });
  try {
    const names = (table: "clients" | "services" | "plans"): readonly string[] =>
      db
        .all<{ name: string }>(
          `SELECT name FROM ${table} WHERE substr(name, 1, ?) = ? ORDER BY name LIMIT ?`,
          prefix.length,
          prefix,
          limit,
        )
        .map(({ name }) => name);
    return { clients: names("clients"), services: names("services"), plans: names("plans") };
  } finally {
    db.close();
  }
};
