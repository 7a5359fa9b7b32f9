import type { UsageSums } from "../../../transfer/parts.ts";
import { DAY_MS, HOUR_MS } from "../../../usage/report-plan.ts";
import {
  byDay,
  byDayOfAll,
  byMonth,
  HourSums,
  ofAllClients,
  regrouped,
  type UsageGroup,
} from "../../../usage/usage-groups.ts";
import { toStoredSum } from "../../../usage/worth.ts";
import type { UsageSlice } from "../../store.ts";
import type { Database } from "../files/database.ts";
import {
  fillDayTotals,
  fillMonths,
  fillTotals,
  KEY_COLUMNS,
  ROLLUPS,
  type Rollup,
  SUM_COLUMNS,
  worthTable,
} from "./usage-rollup-shape.ts";
import { addRow, COUNTED_COLUMNS, type CountedRow } from "./usage-row.ts";

/** Bounds how long the write lock is held: about 30 µs for each of these with its day and its month, and for the few totals. */
const MOST_GROUPS = 25;
/** A quarter of that for each of these. */
const MOST_UNITS = 100;

/** The last `seq` that is counted in the rollups; 0 for none. */
export const foldedSeq = (db: Database): number => readSeq(db, "usage_folded");

/** False once a version that does not know the totals has folded: they lack what it counted, and are left alone. */
export const hasTotals = (db: Database): boolean => readSeq(db, "usage_totals") === foldedSeq(db);

/** False while they lack what a version that does not know them has folded. */
export const hasDayTotals = (db: Database): boolean => readSeq(db, "usage_day_totals") === foldedSeq(db);

type Cursor = "usage_folded" | "usage_totals" | "usage_day_totals";

const readSeq = (db: Database, key: Cursor): number =>
  db.get<{ value: number }>("SELECT value FROM meta WHERE key = ?", key)?.value ?? 0;

const writeSeq = (db: Database, key: Cursor, seq: number): void => {
  db.run("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, seq);
};

/**
 * Counts the next events, in the order they were stored, into all sums. They are made before the write lock is
 * taken, which is then held for one upsert per group.
 */
export const foldUsage = (db: Database, limit: number): UsageSlice => {
  const from = foldedSeq(db);
  if (!hasDayTotals(db)) return catchUp(db, limit);
  const { hours, taken, seq, isAll } = sumNext(db, from, limit);
  if (taken === 0) return { events: 0, more: false };
  const days = regrouped(hours, byDay);
  const months = regrouped(hours, byMonth);
  const totals = regrouped(hours, ofAllClients);
  const dayTotals = regrouped(hours, byDayOfAll);
  db.immediate(() => {
    // Another process took the same events up meanwhile.
    if (foldedSeq(db) !== from) return;
    for (const group of hours) addGroup(db, ROLLUPS.hours, group);
    for (const group of days) addGroup(db, ROLLUPS.days, group);
    for (const group of months) addGroup(db, ROLLUPS.months, group);
    if (hasTotals(db)) {
      for (const group of totals) addGroup(db, ROLLUPS.totals, group);
      writeSeq(db, "usage_totals", seq);
    }
    for (const group of dayTotals) addGroup(db, ROLLUPS.dayTotals, group);
    writeSeq(db, "usage_day_totals", seq);
    writeSeq(db, "usage_folded", seq);
  });
  return { events: taken, more: !isAll };
};

/**
 * Counts into the totals by day what a version that does not know them has folded: it may run on while this one is
 * installed. Where something of that was pruned since, they are made anew from the days.
 */
const catchUp = (db: Database, limit: number): UsageSlice => {
  const from = readSeq(db, "usage_day_totals");
  const { hours, taken, seq } = sumNext(db, from, Math.min(limit, foldedSeq(db) - from));
  const dayTotals = regrouped(hours, byDayOfAll);
  db.immediate(() => {
    // Another process did so meanwhile.
    if (readSeq(db, "usage_day_totals") !== from) return;
    // A number may be missing for another reason, too: it was given to an event that was there.
    if (taken === 0 || seq !== from + taken) return fillDayTotals(db);
    for (const group of dayTotals) addGroup(db, ROLLUPS.dayTotals, group);
    writeSeq(db, "usage_day_totals", seq);
  });
  return { events: taken, more: true };
};

interface Summed {
  readonly hours: readonly UsageGroup[];
  /** How many events were taken, and the last one's. */
  readonly taken: number;
  readonly seq: number;
  /** There was nothing more to read. */
  readonly isAll: boolean;
}

/** Read at once at first, and then as many as have been: with many groups a slice ends after as few. */
const FIRST_PAGE = 50;

/** Sums of the next events behind a `seq`, in the order they were stored, as many as come to the sums of a slice. */
const sumNext = (db: Database, from: number, limit: number): Summed => {
  const sums = new HourSums();
  const done = (isAll: boolean): Summed => ({ hours: sums.groups(), taken, seq, isAll });
  let seq = from;
  let taken = 0;
  while (taken < limit) {
    const wanted = Math.min(Math.max(FIRST_PAGE, taken), limit - taken);
    const rows = db.arrays<CountedRow>(
      `SELECT ${COUNTED_COLUMNS} FROM usage WHERE seq > ? ORDER BY seq LIMIT ?`,
      seq,
      wanted,
    );
    for (const row of rows) {
      if (sums.size >= MOST_GROUPS || sums.units >= MOST_UNITS) return done(false);
      addRow(sums, row);
      taken += 1;
      seq = row[0];
    }
    if (rows.length < wanted) return done(true);
  }
  return done(false);
};

const addGroup = (
  db: Database,
  rollup: Rollup,
  { key, lastAt, sums, worth }: Pick<UsageGroup, "key" | "lastAt" | "sums" | "worth">,
): void => {
  db.run(UPSERTS[rollup].calls, ...key, lastAt, ...sums);
  for (const [unit, sum] of worth) {
    const { whole, millionths } = toStoredSum(sum);
    db.run(UPSERTS[rollup].worth, ...key, unit, whole, millionths);
  }
};

const upsert = (table: string, key: readonly string[], sums: readonly string[], latest: readonly string[]): string => {
  const columns = [...key, ...latest, ...sums];
  const merged = [
    ...latest.map((column) => `${column} = max(${column}, excluded.${column})`),
    ...sums.map((column) => `${column} = ${column} + excluded.${column}`),
  ];
  return `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})
    ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${merged.join(", ")}`;
};

const upserts = (rollup: Rollup): { readonly calls: string; readonly worth: string } => ({
  calls: upsert(rollup, KEY_COLUMNS, SUM_COLUMNS, ["last_at"]),
  worth: upsert(worthTable(rollup), [...KEY_COLUMNS, "unit"], ["whole", "millionths"], []),
});

const UPSERTS = {
  [ROLLUPS.hours]: upserts(ROLLUPS.hours),
  [ROLLUPS.days]: upserts(ROLLUPS.days),
  [ROLLUPS.totals]: upserts(ROLLUPS.totals),
  [ROLLUPS.dayTotals]: upserts(ROLLUPS.dayTotals),
  [ROLLUPS.months]: upserts(ROLLUPS.months),
};

/** Of another store; into empty tables. */
export const insertSums = (db: Database, rollup: Rollup, groups: readonly UsageSums[]): void => {
  const length = rollup === ROLLUPS.hours ? HOUR_MS : DAY_MS;
  // The latest event of a client has a place of its own, see writeLastCall: no call is later than these.
  for (const { key, sums, worth } of groups) {
    const summed = new Map(worth.map(([unit, sum]) => [unit, BigInt(sum)]));
    addGroup(db, rollup, { key, lastAt: key[0] * length, sums: [...sums], worth: summed });
  }
};

/** The imported sums are those of the first `folded` events. */
export const closeSums = (db: Database, folded: number): void => {
  writeSeq(db, "usage_folded", folded);
  db.exec(`${fillTotals()}
${fillMonths()}`);
  fillDayTotals(db);
};
