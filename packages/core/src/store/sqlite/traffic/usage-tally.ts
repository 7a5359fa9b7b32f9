import type { SQLInputValue } from "node:sqlite";
import { LATENCY_BOUNDS } from "../../../usage/latency-buckets.ts";
import { DAY_MS, HOUR_MS, planReport, type Range } from "../../../usage/report-plan.ts";
import type { Outcome, UsageFilter } from "../../../usage/usage-event.ts";
import {
  addCalls,
  emptyTally,
  isTimed,
  type UsageKey,
  type UsageReport,
  type UsageReportQuery,
  type UsageRow,
} from "../../../usage/usage-report.ts";
import type { Database } from "../files/database.ts";
import { BUCKET_COLUMNS, foldedSeq, hasTotals, ROLLUPS } from "./usage-rollup.ts";

/** A row of sums; `k0`, `k1` … are its key. */
interface Counted {
  readonly [column: string]: SQLInputValue;
  readonly outcome: Outcome;
  readonly requests: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly latency_ms: number;
}

/** Events and hours before it may be gone. */
export const prunedBefore = (db: Database): number =>
  db.get<{ value: number }>("SELECT value FROM meta WHERE key = 'usage_pruned'")?.value ?? 0;

export const notePruned = (db: Database, before: number): void => {
  const sql = "INSERT INTO meta VALUES ('usage_pruned', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
  db.run(sql, before);
};

/**
 * Whole days and hours from the rollups, single events for the ragged edges and for what is not counted in the rollups
 * yet: exact at every moment. All of it is read as of one moment.
 */
export const reportUsage = (db: Database, query: UsageReportQuery): UsageReport =>
  db.reading(() => {
    const { filter, until = Number.POSITIVE_INFINITY } = query;
    const { by } = query;
    const pruned = prunedBefore(db);
    const plan = planReport({ by, since: filter.since ?? 0, until, prunedBefore: pruned });
    const rows = new Map<string, UsageRow>();
    const total = !by.includes("client") && filter.client === undefined && hasTotals(db);
    for (const { from, to } of plan.days) {
      // The totals are pruned with the hours.
      if (total && from * DAY_MS >= pruned)
        addRollups(db, rows, ROLLUPS.totals, 24, { from: from * 24, to: to * 24 }, query);
      else addRollups(db, rows, ROLLUPS.days, 1, { from, to }, query);
    }
    for (const range of plan.hours) addRollups(db, rows, total ? ROLLUPS.totals : ROLLUPS.hours, 24, range, query);
    const folded = foldedSeq(db);
    // The plus keeps the planner off the one index or the other: edges are found by time, the rest by order.
    for (const { from, to } of plan.raw)
      addEvents(db, rows, query, "at >= ? AND at < ? AND +seq <= ?", from, to, folded);
    addEvents(db, rows, query, "+at >= ? AND +at < ? AND seq > ?", plan.since, plan.until, folded);
    return {
      since: plan.since,
      until: plan.until === Number.POSITIVE_INFINITY ? undefined : plan.until,
      rows: [...rows.values()],
    };
  });

type Rows = Map<string, UsageRow>;

const addRollups = (
  db: Database,
  rows: Rows,
  table: string,
  periodsADay: 1 | 24,
  { from, to }: Range,
  { by, filter }: UsageReportQuery,
): void => {
  const expressions: Readonly<Record<UsageKey, string>> = {
    client: "client",
    service: "service",
    status: "status",
    hour: `period * ${HOUR_MS}`,
    day: `period / ${periodsADay} * ${DAY_MS}`,
  };
  const { where, values } = exactly(filter);
  const sums = ["requests", "bytes_in", "bytes_out", "latency_ms", ...BUCKET_COLUMNS];
  const sql = `SELECT ${keyColumns(by, expressions)} outcome, ${sums.map((sum) => `sum(${sum}) AS ${sum}`).join(", ")}
    FROM ${table} WHERE period >= ? AND period < ?${where}
    GROUP BY ${[...by.map((_, index) => `k${index}`), "outcome"].join(", ")}`;
  for (const row of db.all<Counted>(sql, from, to, ...values)) {
    const tally = addRow(rows, by, row);
    if (!isTimed(row.outcome)) continue;
    for (const [index, column] of BUCKET_COLUMNS.entries())
      tally.latencies[index] = (tally.latencies[index] ?? 0) + Number(row[column]);
  }
};

const addEvents = (
  db: Database,
  rows: Rows,
  { by, filter }: UsageReportQuery,
  condition: string,
  ...bounds: readonly SQLInputValue[]
): void => {
  const expressions: Readonly<Record<UsageKey, string>> = {
    client: "client",
    service: "service",
    status: "status",
    hour: `CAST(at / ${HOUR_MS} AS INTEGER) * ${HOUR_MS}`,
    day: `CAST(at / ${DAY_MS} AS INTEGER) * ${DAY_MS}`,
  };
  const { where, values } = exactly(filter);
  const sql = `SELECT ${keyColumns(by, expressions)} outcome, ${BUCKET} AS bucket, sum(count) AS requests,
      sum(bytes_in) AS bytes_in, sum(bytes_out) AS bytes_out, sum(latency_ms * count) AS latency_ms
    FROM usage WHERE ${condition}${where}
    GROUP BY ${[...by.map((_, index) => `k${index}`), "outcome", "bucket"].join(", ")}`;
  for (const row of db.all<Counted>(sql, ...bounds, ...values)) {
    const tally = addRow(rows, by, row);
    const bucket = Number(row["bucket"]);
    if (isTimed(row.outcome)) tally.latencies[bucket] = (tally.latencies[bucket] ?? 0) + row.requests;
  }
};

/** The bucket as bucketOf() finds it, by halves: a comparison with each bound would take most of the query's time. */
const bucketCase = (low: number, high: number): string => {
  if (low === high) return String(low);
  const middle = (low + high) >>> 1;
  return `CASE WHEN latency_ms >= ${LATENCY_BOUNDS[middle]} THEN ${bucketCase(middle + 1, high)} ELSE ${bucketCase(low, middle)} END`;
};

const BUCKET = bucketCase(0, LATENCY_BOUNDS.length);

const keyColumns = (by: readonly UsageKey[], expressions: Readonly<Record<UsageKey, string>>): string =>
  by.map((key, index) => `${expressions[key]} AS k${index}, `).join("");

const addRow = (rows: Rows, by: readonly UsageKey[], row: Counted): UsageRow["tally"] => {
  const key = by.map((_, index) => row[`k${index}`] as string | number);
  const name = key.join(" ");
  let known = rows.get(name);
  if (known === undefined) {
    known = { key, tally: emptyTally() };
    rows.set(name, known);
  }
  const { outcome, requests, bytes_in: bytesIn, bytes_out: bytesOut, latency_ms: latencyMs } = row;
  addCalls(known.tally, { outcome, requests, bytesIn, bytesOut, latencyMs });
  return known.tally;
};

/** The filter but for its time, which is the caller's. */
const exactly = (filter: UsageFilter): { readonly where: string; readonly values: readonly SQLInputValue[] } => {
  const conditions: string[] = [];
  const values: SQLInputValue[] = [];
  // The plus: see the caller.
  if (filter.client !== undefined) {
    conditions.push(" AND +client = ?");
    values.push(filter.client);
  }
  if (filter.service !== undefined) {
    conditions.push(" AND service = ?");
    values.push(filter.service);
  }
  if (filter.status !== undefined) {
    conditions.push(" AND status BETWEEN ? AND ?");
    values.push(filter.status.from, filter.status.to);
  }
  return { where: conditions.join(""), values };
};
