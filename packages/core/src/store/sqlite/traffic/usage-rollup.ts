import type { SQLInputValue } from "node:sqlite";
import { bucketOf, LATENCY_BUCKETS } from "../../../usage/latency-buckets.ts";
import { HOUR_MS } from "../../../usage/report-plan.ts";
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

interface RawCall {
  readonly seq: number;
  readonly at: number;
  readonly client: string;
  readonly service: string;
  readonly status: number;
  readonly outcome: string;
  readonly latency_ms: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly count: number;
}

/** A row of a rollup table; the column after the key is `last_at`, the rest are sums. */
interface Group {
  readonly key: readonly [period: number, client: string, service: string, status: number, outcome: string];
  lastAt: number;
  readonly sums: number[];
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
    `SELECT seq, at, client, service, status, outcome, latency_ms, bytes_in, bytes_out, count
     FROM usage WHERE seq > ? ORDER BY seq LIMIT ?`,
    from,
    limit,
  );
  const { hours, taken } = sumUp(calls);
  const last = calls[taken - 1];
  if (last === undefined) return { events: 0, more: false };
  const days = regrouped(hours, ([hour, ...rest]) => [Math.floor(hour / 24), ...rest]);
  const totals = regrouped(hours, ([hour, , ...rest]) => [hour, "", ...rest]);
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

const sumUp = (calls: readonly RawCall[]): { readonly hours: readonly Group[]; readonly taken: number } => {
  const groups = new Map<string, Group>();
  let taken = 0;
  for (const call of calls) {
    if (groups.size >= MOST_GROUPS) break;
    taken += 1;
    const { at, client, service, status, outcome, count } = call;
    const group = groupAt(groups, [Math.floor(at / HOUR_MS), client, service, status, outcome]);
    group.lastAt = Math.max(group.lastAt, at);
    add(group.sums, [count, call.bytes_in, call.bytes_out, call.latency_ms * count]);
    const bucket = COUNTS.length + bucketOf(call.latency_ms);
    group.sums[bucket] = (group.sums[bucket] ?? 0) + count;
  }
  return { hours: [...groups.values()], taken };
};

const regrouped = (hours: readonly Group[], keyOf: (key: Group["key"]) => Group["key"]): Iterable<Group> => {
  const groups = new Map<string, Group>();
  for (const { key, lastAt, sums } of hours) {
    const group = groupAt(groups, keyOf(key));
    group.lastAt = Math.max(group.lastAt, lastAt);
    add(group.sums, sums);
  }
  return groups.values();
};

const groupAt = (groups: Map<string, Group>, key: Group["key"]): Group => {
  const name = key.join(" ");
  const known = groups.get(name);
  if (known !== undefined) return known;
  const group = { key, lastAt: 0, sums: Array<number>(COUNTS.length + LATENCY_BUCKETS).fill(0) };
  groups.set(name, group);
  return group;
};

const add = (sums: number[], more: readonly number[]): void => {
  for (const [index, value] of more.entries()) sums[index] = (sums[index] ?? 0) + value;
};

const valuesOf = ({ key, lastAt, sums }: Group): readonly SQLInputValue[] => [...key, lastAt, ...sums];

const upsert = (table: string): string => {
  const sums = [...COUNTS, ...BUCKET_COLUMNS];
  return `INSERT INTO ${table} (${KEY}, last_at, ${sums.join(", ")}) VALUES (${Array(sums.length + 6)
    .fill("?")
    .join(", ")})
    ON CONFLICT (${KEY}) DO UPDATE SET last_at = max(last_at, excluded.last_at),
      ${sums.map((column) => `${column} = ${column} + excluded.${column}`).join(", ")}`;
};

const UPSERTS = { hours: upsert(ROLLUPS.hours), days: upsert(ROLLUPS.days), totals: upsert(ROLLUPS.totals) };
