import type { SQLInputValue } from "node:sqlite";
import { MILLION } from "../../../meters/unit.ts";
import { LATENCY_BOUNDS } from "../../../usage/latency-buckets.ts";
import { ReportRows } from "../../../usage/report-keys.ts";
import { withMonths } from "../../../usage/report-months.ts";
import { DAY_MS, HOUR_MS, planReport, type Range, summedPeriods } from "../../../usage/report-plan.ts";
import type { Outcome, UsageFilter } from "../../../usage/usage-event.ts";
import {
  addCalls,
  addWorthTo,
  isTimed,
  type UsageKey,
  type UsageReport,
  type UsageReportQuery,
  type UsageTally,
} from "../../../usage/usage-report.ts";
import { COST, fromStoredSum, type StoredSum, type WorthCounts } from "../../../usage/worth.ts";
import type { Database } from "../files/database.ts";
import { notYetIn, readFolding } from "./usage-folding.ts";
import { foldedSeq, hasDayTotals, hasTotals } from "./usage-rollup.ts";
import { BUCKET_COLUMNS, ROLLUPS, type Rollup, START_OF_MONTH, SUM_COLUMNS, worthTable } from "./usage-rollup-shape.ts";
import { UNPRICED } from "./usage-row.ts";

/** A row of sums; `k0`, `k1` … are its key. */
interface Keyed {
  readonly [column: string]: SQLInputValue;
}

interface Counted extends Keyed, WorthCounts {
  readonly outcome: Outcome;
  readonly requests: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly latency_ms: number;
}

/** What calls were worth in a unit. */
interface Worth extends Keyed, StoredSum {
  readonly unit: string;
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
    const rows = new ReportRows(by);
    const ofAll = !by.includes("client") && filter.client === undefined;
    if (ofAll && hasDayTotals(db)) {
      for (const range of plan.days) addRollups(db, rows, ROLLUPS.dayTotals, range, query);
    } else {
      const { months, days } = withMonths(plan.days, by);
      for (const range of months) addRollups(db, rows, ROLLUPS.months, range, query);
      for (const range of days) addRollups(db, rows, ROLLUPS.days, range, query);
    }
    const total = ofAll && hasTotals(db);
    for (const range of plan.hours) addRollups(db, rows, total ? ROLLUPS.totals : ROLLUPS.hours, range, query);
    const folded = foldedSeq(db);
    // The plus keeps the planner off the one index or the other: edges are found by time, the rest by order.
    for (const { from, to } of plan.raw)
      addEvents(db, rows, query, "at >= ? AND at < ? AND +seq <= ?", from, to, folded);
    addEvents(db, rows, query, "+at >= ? AND +at < ? AND seq > ?", plan.since, plan.until, folded);
    const folding = readFolding(db);
    if (folding !== undefined) {
      const { condition, values } = notYetIn(folding);
      for (const { from, to } of summedPeriods(plan))
        addEvents(db, rows, query, `+at >= ? AND +at < ? AND ${condition}`, from, to, ...values);
    }
    return {
      since: plan.since,
      until: plan.until === Number.POSITIVE_INFINITY ? undefined : plan.until,
      rows: rows.all(),
    };
  });

const addRollups = (
  db: Database,
  rows: ReportRows,
  rollup: Rollup,
  { from, to }: Range,
  { by, filter }: UsageReportQuery,
): void => {
  const isDaily = rollup === ROLLUPS.days || rollup === ROLLUPS.dayTotals;
  const day = isDaily ? `period * ${DAY_MS}` : `period / 24 * ${DAY_MS}`;
  const expressions: Expressions = {
    client: "client",
    service: "service",
    model: "model",
    plan: "plan",
    status: "status",
    hour: `period * ${HOUR_MS}`,
    day,
    week: day,
    month: rollup === ROLLUPS.months ? START_OF_MONTH : day,
  };
  const { where, values } = exactly(filter);
  const keys = keyColumns(by, expressions);
  const period = `FROM ${rollup} WHERE period >= ? AND period < ?${where}`;
  const add = (row: Counted): void => {
    const tally = addRow(rows, by, row);
    if (!isTimed(row.outcome)) return;
    for (const [index, column] of BUCKET_COLUMNS.entries())
      tally.latencies[index] = (tally.latencies[index] ?? 0) + Number(row[column]);
  };
  const order = rollup === ROLLUPS.days || by.includes("hour") ? keyOrder(by) : undefined;
  if (order === undefined) {
    const sql = `SELECT ${keys} outcome, ${sumsOf(SUM_COLUMNS)} ${period} GROUP BY ${groupBy(by, "outcome")}`;
    for (const row of db.all<Counted>(sql, from, to, ...values)) add(row);
  } else {
    for (const { outcome } of db.all<Counted>(`SELECT DISTINCT outcome ${period}`, from, to, ...values)) {
      const sums = isTimed(outcome) ? SUM_COLUMNS : UNTIMED_COLUMNS;
      const sql = `SELECT ${keys} outcome, ${sumsOf(sums)} ${period} AND outcome = ? GROUP BY ${order}`;
      for (const row of db.all<Counted>(sql, from, to, ...values, outcome)) add(row);
    }
  }
  const worth = `SELECT ${keys} unit, ${storedSum("whole", "millionths")} FROM ${worthTable(rollup)}
    WHERE period >= ? AND period < ?${where} GROUP BY ${groupBy(by, "unit")}`;
  addUnits(rows, by, db.all<Worth>(worth, from, to, ...values));
};

const sumsOf = (columns: readonly string[]): string => columns.map((sum) => `sum(${sum}) AS ${sum}`).join(", ");

const UNTIMED_COLUMNS = SUM_COLUMNS.filter((column) => !BUCKET_COLUMNS.includes(column));

/**
 * The columns by which groups of these keys come one after the other, as their tables lie; undefined when they do not.
 * What comes in order is added up as it is read, an outcome after the other: sorting took half the time of a year by day.
 */
const keyOrder = (by: readonly UsageKey[]): string | undefined => {
  const others = by.filter((key) => !PERIODS.includes(key));
  const columns = ["client", "service"].slice(0, others.length);
  const follows = others.length < by.length && others.every((key) => columns.includes(key));
  return follows ? ["period", ...columns].join(", ") : undefined;
};

const PERIODS: readonly UsageKey[] = ["hour", "day", "week", "month"];

const addEvents = (
  db: Database,
  rows: ReportRows,
  { by, filter }: UsageReportQuery,
  condition: string,
  ...bounds: readonly SQLInputValue[]
): void => {
  const day = `CAST(at / ${DAY_MS} AS INTEGER) * ${DAY_MS}`;
  const expressions: Expressions = {
    client: "client",
    service: "service",
    model: "coalesce(model, '')",
    plan: "coalesce(plan, '')",
    status: "status",
    hour: `CAST(at / ${HOUR_MS} AS INTEGER) * ${HOUR_MS}`,
    day,
    week: day,
    month: day,
  };
  const { where, values } = exactly(filter);
  const keys = keyColumns(by, expressions);
  const sql = `SELECT ${keys} outcome, ${BUCKET} AS bucket, sum(count) AS requests,
      sum(bytes_in) AS bytes_in, sum(bytes_out) AS bytes_out, sum(latency_ms * count) AS latency_ms,
      ${Object.entries(COUNT_IF)
        .map(([name, when]) => `sum(CASE WHEN ${when} THEN count ELSE 0 END) AS ${name}`)
        .join(", ")},
      ${storedSum(`(CASE WHEN cost > 0 THEN cost / ${MILLION} END)`, `(CASE WHEN cost > 0 THEN cost % ${MILLION} END)`)}
    FROM usage WHERE ${condition}${where} GROUP BY ${groupBy(by, "outcome", "bucket")}`;
  for (const row of db.all<Counted & StoredSum>(sql, ...bounds, ...values)) {
    const tally = addRow(rows, by, row);
    addWorthTo(tally, COST, fromStoredSum(row));
    const bucket = Number(row["bucket"]);
    if (isTimed(row.outcome)) tally.latencies[bucket] = (tally.latencies[bucket] ?? 0) + row.requests;
  }
  const worth = `SELECT ${keys} u.key AS unit, ${storedSum(`u.value / ${MILLION}`, `u.value % ${MILLION}`)}
    FROM usage, json_each(usage.units) AS u WHERE usage.units IS NOT NULL AND ${condition}${where}
    GROUP BY ${groupBy(by, "u.key")}`;
  addUnits(rows, by, db.all<Worth>(worth, ...bounds, ...values));
};

type Expressions = Readonly<Record<UsageKey, string>>;

/** When a single event counts as one of these. */
const COUNT_IF: Readonly<Record<keyof WorthCounts, string>> = {
  priced: "cost >= 0",
  unpriced: `cost = ${UNPRICED}`,
  metered: "metered IS NOT NULL",
  unread: "metered = 'no'",
  estimated: "metered = 'estimated'",
};

/** total() gives a real, which is exact up to 2^53 and overflows never. */
const storedSum = (whole: string, millionths: string): string =>
  `total(${whole}) AS whole, total(${millionths}) AS millionths`;

const addUnits = (rows: ReportRows, by: readonly UsageKey[], found: readonly Worth[]): void => {
  for (const row of found) addWorthTo(rows.tallyOf(keyOf(by, row)), row.unit, fromStoredSum(row));
};

/** The bucket as bucketOf() finds it, by halves: a comparison with each bound would take most of the query's time. */
const bucketCase = (low: number, high: number): string => {
  if (low === high) return String(low);
  const middle = (low + high) >>> 1;
  return `CASE WHEN latency_ms >= ${LATENCY_BOUNDS[middle]} THEN ${bucketCase(middle + 1, high)} ELSE ${bucketCase(low, middle)} END`;
};

const BUCKET = bucketCase(0, LATENCY_BOUNDS.length);

const keyColumns = (by: readonly UsageKey[], expressions: Expressions): string =>
  by.map((key, index) => `${expressions[key]} AS k${index}, `).join("");

const groupBy = (by: readonly UsageKey[], ...others: readonly string[]): string =>
  [...by.map((_, index) => `k${index}`), ...others].join(", ");

const keyOf = (by: readonly UsageKey[], row: Keyed): readonly (string | number)[] =>
  by.map((_, index) => row[`k${index}`] as string | number);

const addRow = (rows: ReportRows, by: readonly UsageKey[], row: Counted): UsageTally => {
  const tally = rows.tallyOf(keyOf(by, row));
  const { bytes_in: bytesIn, bytes_out: bytesOut, latency_ms: latencyMs } = row;
  addCalls(tally, { ...row, bytesIn, bytesOut, latencyMs });
  return tally;
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
