import type { SQLInputValue } from "node:sqlite";
import type { UsageSums } from "../../../transfer/parts.ts";
import { LATENCY_BUCKETS } from "../../../usage/latency-buckets.ts";
import { DAY_MS, HOUR_MS } from "../../../usage/report-plan.ts";
import {
  byDay,
  type CountedEvent,
  ofAllClients,
  regrouped,
  sumUp,
  type UsageGroup,
} from "../../../usage/usage-groups.ts";
import type { UsageSlice } from "../../store.ts";
import type { Database } from "../files/database.ts";

/**
 * The tables that events are counted into. `totals` has hours too, of all clients together (`client` is empty): a report
 * that asks for no client would otherwise read a hundred times as much.
 */
export const ROLLUPS = { hours: "usage_hours", days: "usage_days", totals: "usage_totals" } as const;

const COUNTS: readonly string[] = ["requests", "bytes_in", "bytes_out", "latency_ms"];
export const BUCKET_COLUMNS: readonly string[] = Array.from({ length: LATENCY_BUCKETS }, (_, index) => `l${index}`);
const KEY = "period, client, service, status, outcome";

/** `period`: hours or days since the epoch, UTC. */
export const rollupTable = (name: string): string =>
  `CREATE TABLE ${name} (
     period INTEGER NOT NULL,
     client TEXT NOT NULL,
     service TEXT NOT NULL,
     status INTEGER NOT NULL,
     outcome TEXT NOT NULL,
     last_at REAL NOT NULL,
     requests INTEGER NOT NULL,
     bytes_in INTEGER NOT NULL,
     bytes_out INTEGER NOT NULL,
     latency_ms REAL NOT NULL,
     ${BUCKET_COLUMNS.map((column) => `${column} INTEGER NOT NULL`).join(", ")},
     PRIMARY KEY (${KEY})
   ) STRICT, WITHOUT ROWID;`;

/** Fills {@link ROLLUPS}.totals from the hours that are there, and says up to where it is right. */
export const fillTotals = (): string =>
  `INSERT INTO ${ROLLUPS.totals}
     SELECT period, '', service, status, outcome, max(last_at), ${[...COUNTS, ...BUCKET_COLUMNS].map((column) => `sum(${column})`).join(", ")}
     FROM ${ROLLUPS.hours} GROUP BY period, service, status, outcome;
   INSERT INTO meta SELECT 'usage_totals', value FROM meta WHERE key = 'usage_folded';`;

interface RawCall extends CountedEvent {
  readonly seq: number;
}

/** Bounds how long the write lock is held: 10 to 20 µs for each of these and for its day, and for the few totals. */
const MOST_GROUPS = 100;

/** The last `seq` that is counted in the rollups; 0 for none. */
export const foldedSeq = (db: Database): number => readSeq(db, "usage_folded");

/** False once a version that does not know the totals has folded: they lack what it counted, and are left alone. */
export const hasTotals = (db: Database): boolean => readSeq(db, "usage_totals") === foldedSeq(db);

const readSeq = (db: Database, key: "usage_folded" | "usage_totals"): number =>
  db.get<{ value: number }>("SELECT value FROM meta WHERE key = ?", key)?.value ?? 0;

const writeSeq = (db: Database, key: "usage_folded" | "usage_totals", seq: number): void => {
  db.run("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, seq);
};

/**
 * Counts the next events, in the order they were stored, into hours and days. Sums are made before the write lock is
 * taken, which is then held for one upsert per group.
 */
export const foldUsage = (db: Database, limit: number): UsageSlice => {
  const from = foldedSeq(db);
  const calls = db.all<RawCall>(
    `SELECT seq, at, client, service, status, outcome, latency_ms AS latencyMs, bytes_in AS bytesIn,
       bytes_out AS bytesOut, count
     FROM usage WHERE seq > ? ORDER BY seq LIMIT ?`,
    from,
    limit,
  );
  const { hours, taken } = sumUp(calls, MOST_GROUPS);
  const last = calls[taken - 1];
  if (last === undefined) return { events: 0, more: false };
  const days = regrouped(hours, byDay);
  const totals = regrouped(hours, ofAllClients);
  db.immediate(() => {
    // Another process took the same events up meanwhile.
    if (foldedSeq(db) !== from) return;
    for (const group of hours) db.run(UPSERTS.hours, ...valuesOf(group));
    for (const group of days) db.run(UPSERTS.days, ...valuesOf(group));
    if (hasTotals(db)) {
      for (const group of totals) db.run(UPSERTS.totals, ...valuesOf(group));
      writeSeq(db, "usage_totals", last.seq);
    }
    writeSeq(db, "usage_folded", last.seq);
  });
  return { events: taken, more: taken < calls.length || calls.length === limit };
};

const valuesOf = ({ key, lastAt, sums }: UsageGroup): readonly SQLInputValue[] => [...key, lastAt, ...sums];

const upsert = (table: string): string => {
  const sums = [...COUNTS, ...BUCKET_COLUMNS];
  return `INSERT INTO ${table} (${KEY}, last_at, ${sums.join(", ")}) VALUES (${Array(sums.length + 6)
    .fill("?")
    .join(", ")})
    ON CONFLICT (${KEY}) DO UPDATE SET last_at = max(last_at, excluded.last_at),
      ${sums.map((column) => `${column} = ${column} + excluded.${column}`).join(", ")}`;
};

const UPSERTS = { hours: upsert(ROLLUPS.hours), days: upsert(ROLLUPS.days), totals: upsert(ROLLUPS.totals) };

/** Of another store; into empty tables. */
export const insertSums = (db: Database, table: "usage_hours" | "usage_days", groups: readonly UsageSums[]): void => {
  const length = table === ROLLUPS.hours ? HOUR_MS : DAY_MS;
  // The latest event of a client has a place of its own, see writeLastCall: no call is later than these.
  for (const { key, sums } of groups) db.run(upsert(table), ...key, key[0] * length, ...sums);
};

/** The imported sums are those of the first `folded` events. */
export const closeSums = (db: Database, folded: number): void => {
  writeSeq(db, "usage_folded", folded);
  db.exec(fillTotals());
};
