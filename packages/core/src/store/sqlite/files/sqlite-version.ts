import { AigwError } from "../../../errors.ts";
import type { Database } from "./database.ts";

/** Earlier ones can corrupt a WAL database that two processes write. */
const NEEDED = [3, 51, 3] as const;

/** @throws AigwError `store_unsupported` when this Node.js brings an SQLite that is too old */
export const assertSqliteVersion = (db: Pick<Database, "get">): void => {
  const found = db.get<{ version: string }>("SELECT sqlite_version() AS version")?.version ?? "0";
  const parts = found.split(".").map(Number);
  for (const [index, needed] of NEEDED.entries()) {
    const part = parts[index] ?? 0;
    if (part > needed) return;
    if (part < needed) {
      throw new AigwError(
        "store_unsupported",
        `This Node.js has SQLite ${found}, but ${NEEDED.join(".")} or later is needed. Use a newer Node.js 24 or 26.`,
      );
    }
  }
};
