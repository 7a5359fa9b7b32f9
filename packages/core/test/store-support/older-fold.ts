import type { Database } from "../../src/store/sqlite/files/database.ts";
import {
  KEY_COLUMNS,
  ROLLUPS,
  type Rollup,
  SUM_COLUMNS,
  worthTable,
} from "../../src/store/sqlite/traffic/usage-rollup-shape.ts";
import { notePruned, prunedBefore } from "../../src/store/sqlite/traffic/usage-tally.ts";
import { DAY_MS, HOUR_MS } from "../../src/usage/report-plan.ts";
import {
  byDay,
  byDayOfAll,
  byMonth,
  type CountedEvent,
  ofAllClients,
  regrouped,
  sumUp,
  type UsageGroup,
} from "../../src/usage/usage-groups.ts";
import { toStoredSum } from "../../src/usage/worth.ts";

// What versions do that run on while a newer one is installed: they were opened before its layout came.

interface OlderRow extends Pick<CountedEvent, "at" | "client" | "service" | "status" | "outcome"> {
  readonly seq: number;
  readonly count: number;
  readonly latency_ms: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly units: string | null;
  readonly metered: NonNullable<CountedEvent["metered"]> | null;
  readonly model: string | null;
  readonly cost: number | null;
  readonly plan: string | null;
}

const countedOf = ({ units, metered, model, cost, plan, ...row }: OlderRow): CountedEvent => ({
  ...row,
  latencyMs: row.latency_ms,
  bytesIn: row.bytes_in,
  bytesOut: row.bytes_out,
  ...(units !== null && { units: JSON.parse(units) }),
  ...(metered !== null && { metered }),
  ...(model !== null && { model }),
  ...(cost !== null && { cost: cost === -1 ? null : cost }),
  ...(plan !== null && { plan }),
});

const seqOf = (db: Database, key: string): number =>
  db.get<{ value: number }>("SELECT value FROM meta WHERE key = ?", key)?.value ?? 0;

const setSeq = (db: Database, key: string, seq: number): void => {
  db.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, seq);
};

const add = (db: Database, rollup: Rollup, groups: Iterable<UsageGroup>): void => {
  for (const { key, lastAt, sums, worth } of groups) {
    upsert(db, rollup, KEY_COLUMNS, SUM_COLUMNS, [...key], sums, lastAt);
    for (const [unit, sum] of worth) {
      const { whole, millionths } = toStoredSum(sum);
      upsert(
        db,
        worthTable(rollup),
        [...KEY_COLUMNS, "unit"],
        ["whole", "millionths"],
        [...key, unit],
        [whole, millionths],
      );
    }
  }
};

const upsert = (
  db: Database,
  table: string,
  keys: readonly string[],
  columns: readonly string[],
  key: readonly (string | number)[],
  sums: readonly number[],
  lastAt?: number,
): void => {
  const where = keys.map((column) => `${column} = ?`).join(" AND ");
  const added = columns.map((column) => `${column} = ${column} + ?`).join(", ");
  const last = lastAt === undefined ? [] : [lastAt];
  const latest = lastAt === undefined ? "" : ", last_at = max(last_at, ?)";
  if (db.run(`UPDATE ${table} SET ${added}${latest} WHERE ${where}`, ...sums, ...last, ...key) > 0) return;
  const all = [...keys, ...columns, ...(lastAt === undefined ? [] : ["last_at"])];
  db.run(
    `INSERT INTO ${table} (${all.join(", ")}) VALUES (${all.map(() => "?").join(", ")})`,
    ...key,
    ...sums,
    ...last,
  );
};

/** The version before there were foldings of several transactions, or the one before that, without days of all clients. */
export const foldAsBefore = (db: Database, limit: number, { dayTotals }: { readonly dayTotals: boolean }): void => {
  db.immediate(() => {
    const from = seqOf(db, "usage_folded");
    // It would catch up first.
    const knows = dayTotals && seqOf(db, "usage_day_totals") === from;
    const rows = db.all<OlderRow>("SELECT * FROM usage WHERE seq > ? ORDER BY seq LIMIT ?", from, limit);
    const events = rows.map(countedOf);
    const { hours, taken } = sumUp(events, 25, 100);
    const to = rows[taken - 1]?.seq;
    if (to === undefined) return;
    add(db, ROLLUPS.hours, hours);
    add(db, ROLLUPS.days, regrouped(hours, byDay));
    add(db, ROLLUPS.months, regrouped(hours, byMonth));
    if (seqOf(db, "usage_totals") === from) {
      add(db, ROLLUPS.totals, regrouped(hours, ofAllClients));
      setSeq(db, "usage_totals", to);
    }
    if (knows) {
      add(db, ROLLUPS.dayTotals, regrouped(hours, byDayOfAll));
      setSeq(db, "usage_day_totals", to);
    }
    setSeq(db, "usage_folded", to);
  });
};

/** The same version. */
export const pruneAsBefore = (db: Database, before: number, limit: number): void => {
  const cut = Math.floor(before / DAY_MS) * DAY_MS;
  db.immediate(() => {
    if (prunedBefore(db) < cut) notePruned(db, cut);
    const sql = "DELETE FROM usage WHERE seq IN (SELECT seq FROM usage WHERE at < ? AND +seq <= ? ORDER BY at LIMIT ?)";
    if (db.run(sql, cut, seqOf(db, "usage_folded"), limit) === limit) return;
    for (const rollup of [ROLLUPS.totals, ROLLUPS.hours])
      for (const table of [worthTable(rollup), rollup]) db.run(`DELETE FROM ${table} WHERE period < ?`, cut / HOUR_MS);
  });
};
