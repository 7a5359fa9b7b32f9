import { LATENCY_BUCKETS } from "../../../usage/latency-buckets.ts";
import { WORTH_COUNTS } from "../../../usage/worth.ts";
import type { Database } from "../files/database.ts";

/**
 * The tables that events are counted into. `totals` has hours too, of all clients together (`client` is empty), and
 * `dayTotals` has days of them: a report that asks for no client would otherwise read a hundred times as much. `months`
 * are for reports of a year by client, which would read thirty times as much. Days, their totals and months stay for good.
 */
export const ROLLUPS = {
  hours: "usage_hours",
  days: "usage_days",
  totals: "usage_totals",
  dayTotals: "usage_day_totals",
  months: "usage_months",
} as const;

export type Rollup = (typeof ROLLUPS)[keyof typeof ROLLUPS];

/**
 * Beside each of them, what its calls were worth: a row for each unit of a group, and none for calls without a meter and
 * a price.
 */
export const worthTable = (rollup: Rollup): string => `${rollup}_worth`;

export const BUCKET_COLUMNS: readonly string[] = Array.from({ length: LATENCY_BUCKETS }, (_, index) => `l${index}`);
/** As UsageGroup.key has them. */
export const KEY_COLUMNS: readonly string[] = ["period", "client", "service", "status", "outcome", "model", "plan"];
/** As UsageGroup.sums has them. */
export const SUM_COLUMNS: readonly string[] = [
  "requests",
  "bytes_in",
  "bytes_out",
  "latency_ms",
  ...WORTH_COUNTS,
  ...BUCKET_COLUMNS,
];

/** `period`: hours or days since the epoch, or months since the year 0; UTC. */
const KEY = `period INTEGER NOT NULL,
     client TEXT NOT NULL,
     service TEXT NOT NULL,
     status INTEGER NOT NULL,
     outcome TEXT NOT NULL`;
const CALLS = `last_at REAL NOT NULL,
     requests INTEGER NOT NULL,
     bytes_in INTEGER NOT NULL,
     bytes_out INTEGER NOT NULL,
     latency_ms REAL NOT NULL`;
const BUCKETS = BUCKET_COLUMNS.map((column) => `${column} INTEGER NOT NULL`).join(", ");

/** The first layout, without model, plan and worth. Released: not to be changed. */
export const firstRollupTable = (rollup: Rollup): string =>
  `CREATE TABLE ${rollup} (
     ${KEY},
     ${CALLS},
     ${BUCKETS},
     PRIMARY KEY (period, client, service, status, outcome)
   ) STRICT, WITHOUT ROWID;`;

/** Of the first layout. */
const FIRST_SUMS = ["requests", "bytes_in", "bytes_out", "latency_ms", ...BUCKET_COLUMNS];

export const firstFillTotals = (): string =>
  `INSERT INTO ${ROLLUPS.totals}
     SELECT period, '', service, status, outcome, max(last_at), ${sumsOf(FIRST_SUMS)}
     FROM ${ROLLUPS.hours} GROUP BY period, service, status, outcome;
   INSERT INTO meta SELECT 'usage_totals', value FROM meta WHERE key = 'usage_folded';`;

const rollupTable = (rollup: Rollup): string =>
  `CREATE TABLE ${rollup} (
     ${KEY},
     model TEXT NOT NULL,
     plan TEXT NOT NULL,
     ${CALLS},
     ${WORTH_COUNTS.map((column) => `${column} INTEGER NOT NULL`).join(", ")},
     ${BUCKETS},
     PRIMARY KEY (${KEY_COLUMNS.join(", ")})
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE ${worthTable(rollup)} (
     ${KEY},
     model TEXT NOT NULL,
     plan TEXT NOT NULL,
     unit TEXT NOT NULL,
     whole INTEGER NOT NULL,
     millionths INTEGER NOT NULL,
     PRIMARY KEY (${KEY_COLUMNS.join(", ")}, unit)
   ) STRICT, WITHOUT ROWID;`;

/** From the first layout to today's: what was summed up had no model, no plan and no worth. */
export const withWorth = (rollup: Rollup): string => {
  const columns = ["period", "client", "service", "status", "outcome", "last_at", ...FIRST_SUMS];
  const added = [...["model", "plan"].map((name) => [name, "''"]), ...WORTH_COUNTS.map((name) => [name, "0"])];
  return `ALTER TABLE ${rollup} RENAME TO ${rollup}_first;
   ${rollupTable(rollup)}
   INSERT INTO ${rollup} (${[...columns, ...added.map(([name]) => name)].join(", ")})
     SELECT ${[...columns, ...added.map(([, value]) => value)].join(", ")} FROM ${rollup}_first ORDER BY 1, 2, 3, 4, 5;
   DROP TABLE ${rollup}_first;`;
};

const MONTH_OF_DAY = `CAST(strftime('%Y', period * 86400, 'unixepoch') AS INTEGER) * 12
       + CAST(strftime('%m', period * 86400, 'unixepoch') AS INTEGER) - 1`;

/** The start of a month, milliseconds since the epoch. */
export const START_OF_MONTH = "unixepoch(printf('%04d-%02d-01', period / 12, period % 12 + 1)) * 1000";

/** Months as days have them. */
export const monthsTable = (): string => `${rollupTable(ROLLUPS.months)}
   ${fillMonths()}`;

/** Fills {@link ROLLUPS}.months, which is empty, from the days that are there. */
export const fillMonths = (): string => {
  const others = KEY_COLUMNS.slice(1);
  const key = [MONTH_OF_DAY, ...others].join(", ");
  const group = ["1", ...others].join(", ");
  return `INSERT INTO ${ROLLUPS.months} (${KEY_COLUMNS.join(", ")}, last_at, ${SUM_COLUMNS.join(", ")})
     SELECT ${key}, max(last_at), ${sumsOf(SUM_COLUMNS)} FROM ${ROLLUPS.days} GROUP BY ${group};
   INSERT INTO ${worthTable(ROLLUPS.months)} (${KEY_COLUMNS.join(", ")}, unit, whole, millionths)
     SELECT ${key}, unit, ${sumsOf(["whole", "millionths"])} FROM ${worthTable(ROLLUPS.days)} GROUP BY ${group}, unit;`;
};

/** Days of all clients together, as days have them. */
export const makeDayTotals = (db: Database): void => {
  db.exec(rollupTable(ROLLUPS.dayTotals));
  fillDayTotals(db);
};

/**
 * Fills {@link ROLLUPS}.dayTotals anew from the days that are there, and says up to where it is right. A day after the
 * other: a year at once would have to be sorted as a whole, and takes a sixth longer.
 */
export const fillDayTotals = (db: Database): void => {
  const { days, dayTotals } = ROLLUPS;
  for (const table of [dayTotals, worthTable(dayTotals)]) db.exec(`DELETE FROM ${table}`);
  const next = `SELECT min(period) AS period FROM ${days} WHERE period > ?`;
  for (let day = -1; ; ) {
    const { period } = db.get<{ period: number | null }>(next, day) ?? { period: null };
    if (period === null) break;
    day = period;
    db.run(`${insertTotals(dayTotals)} FROM ${days} WHERE period = ? ${GROUP_OF_TOTALS}`, day);
    db.run(`${insertTotalsWorth(dayTotals)} FROM ${worthTable(days)} WHERE period = ? ${GROUP_OF_TOTALS}, unit`, day);
  }
  db.exec("INSERT OR REPLACE INTO meta SELECT 'usage_day_totals', value FROM meta WHERE key = 'usage_folded'");
};

const sumsOf = (columns: readonly string[]): string => columns.map((column) => `sum(${column})`).join(", ");

const KEY_OF_TOTALS = KEY_COLUMNS.map((column) => (column === "client" ? "''" : column)).join(", ");
const GROUP_OF_TOTALS = `GROUP BY ${KEY_COLUMNS.filter((column) => column !== "client").join(", ")}`;

const insertTotals = (rollup: Rollup): string =>
  `INSERT INTO ${rollup} (${KEY_COLUMNS.join(", ")}, last_at, ${SUM_COLUMNS.join(", ")})
     SELECT ${KEY_OF_TOTALS}, max(last_at), ${sumsOf(SUM_COLUMNS)}`;

const insertTotalsWorth = (rollup: Rollup): string =>
  `INSERT INTO ${worthTable(rollup)} (${KEY_COLUMNS.join(", ")}, unit, whole, millionths)
     SELECT ${KEY_OF_TOTALS}, unit, ${sumsOf(["whole", "millionths"])}`;

/** Fills {@link ROLLUPS}.totals from the hours that are there, and says up to where it is right. */
export const fillTotals = (): string =>
  `${insertTotals(ROLLUPS.totals)} FROM ${ROLLUPS.hours} ${GROUP_OF_TOTALS};
   ${insertTotalsWorth(ROLLUPS.totals)} FROM ${worthTable(ROLLUPS.hours)} ${GROUP_OF_TOTALS}, unit;
   INSERT INTO meta SELECT 'usage_totals', value FROM meta WHERE key = 'usage_folded';`;
