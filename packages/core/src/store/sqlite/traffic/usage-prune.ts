import { DAY_MS, HOUR_MS } from "../../../usage/report-plan.ts";
import type { UsageSlice } from "../../store.ts";
import type { Database } from "../files/database.ts";
import { settledSeq } from "./usage-rollup.ts";
import { KEY_COLUMNS, ROLLUPS, worthTable } from "./usage-rollup-shape.ts";
import { notePruned, prunedBefore } from "./usage-tally.ts";

const NOTHING: UsageSlice = { events: 0, more: false };

export const pruneUsage = (db: Database, before: number, limit: number): UsageSlice => {
  const cut = Math.floor(before / DAY_MS) * DAY_MS;
  const settled = settledSeq(db);
  // Looked at first, so that a prune with nothing to do takes no write lock.
  const event = db.get("SELECT 1 FROM usage WHERE at < ? AND +seq <= ? LIMIT 1", cut, settled);
  const hour = db.get(`SELECT 1 FROM ${ROLLUPS.hours} WHERE period < ? LIMIT 1`, cut / HOUR_MS);
  if (event === undefined && hour === undefined) return NOTHING;
  return db.immediate(() => {
    // In the same transaction as the first row that goes: from then on a report must not look for rows before it.
    if (prunedBefore(db) < cut) notePruned(db, cut);
    const events = db.run(
      "DELETE FROM usage WHERE seq IN (SELECT seq FROM usage WHERE at < ? AND +seq <= ? ORDER BY at LIMIT ?)",
      cut,
      settled,
      limit,
    );
    if (events === limit) return { events, more: true };
    for (const rollup of [ROLLUPS.totals, ROLLUPS.hours]) {
      // What they were worth first: a row without its calls would be counted by nobody.
      if (deleteHours(db, worthTable(rollup), [...KEY_COLUMNS, "unit"], cut, limit) === limit)
        return { events, more: true };
      if (deleteHours(db, rollup, KEY_COLUMNS, cut, limit) === limit) return { events, more: true };
    }
    return { events, more: false };
  });
};

const deleteHours = (db: Database, table: string, key: readonly string[], before: number, limit: number): number =>
  db.run(
    `DELETE FROM ${table} WHERE (${key.join(", ")}) IN
       (SELECT ${key.join(", ")} FROM ${table} WHERE period < ? LIMIT ?)`,
    before / HOUR_MS,
    limit,
  );
