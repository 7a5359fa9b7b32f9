import type { Instance, SeenInstance } from "../../store.ts";
import type { Database } from "../files/database.ts";

const FORGET_AFTER_MS = 3_600_000;

/**
 * Where gateways of earlier versions say that they run; one may still do so while newer commands look.
 * @param now steady milliseconds
 */
export const readInstances = (db: Database, withinMs: number, now: number): readonly SeenInstance[] =>
  db
    .all<{ seen_at: number; record: string }>(
      "SELECT seen_at, record FROM instances WHERE seen_at >= ? ORDER BY id",
      now - Math.min(withinMs, FORGET_AFTER_MS),
    )
    .map((row) => ({ ...(JSON.parse(row.record) as Instance), lastSeenAgoMs: Math.max(0, now - row.seen_at) }));
