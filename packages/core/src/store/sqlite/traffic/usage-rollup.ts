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
import { readFolding } from "./usage-folding.ts";
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
import { addRow, readCounted } from "./usage-row.ts";

/** Bounds how long the write lock is held: about 30 µs for each of these with its day and its month, and for the few totals. */
export const MOST_GROUPS = 25;
/** A quarter of that for each of these. */
export const MOST_UNITS = 100;

/** The last `seq` that is counted in the rollups, or will be before any other (see Folding); 0 for none. */
export const foldedSeq = (db: Database): number => readSeq(db, "usage_folded");

/** Up to this `seq` all events are in all sums. */
export const settledSeq = (db: Database): number => readFolding(db)?.from ?? foldedSeq(db);

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

/** Says that the sums are those of all events up to this one: also the coarser ones, as far as they were that of all before. */
export const moveCursors = (db: Database, seq: number): void => {
  if (hasTotals(db)) writeSeq(db, "usage_totals", seq);
  writeSeq(db, "usage_day_totals", seq);
  writeSeq(db, "usage_folded", seq);
};

/** @param hours groups of hours, {@link MOST_GROUPS} or few more */
export const addToSums = (db: Database, hours: readonly UsageGroup[]): void => {
  for (const group of hours) addGroup(db, ROLLUPS.hours, group);
  for (const group of regrouped(hours, byDay)) addGroup(db, ROLLUPS.days, group);
  for (const group of regrouped(hours, byMonth)) addGroup(db, ROLLUPS.months, group);
  if (hasTotals(db)) for (const group of regrouped(hours, ofAllClients)) addGroup(db, ROLLUPS.totals, group);
  for (const group of regrouped(hours, byDayOfAll)) addGroup(db, ROLLUPS.dayTotals, group);
};

/** Reads no more than so many: where each is of a group of its own, a slice ends after as few. */
const CAUGHT_UP = 100;

/**
 * Counts into the totals by day what a version that does not know them has folded: it may run on while this one is
 * installed. Where something of that was pruned since, they are made anew from the days.
 */
export const catchUp = (db: Database, limit: number): UsageSlice => {
  const from = readSeq(db, "usage_day_totals");
  const rows = readCounted(db, from, foldedSeq(db), Math.min(limit, CAUGHT_UP));
  const sums = new HourSums();
  let [taken, seq] = [0, from];
  for (const row of rows) {
    if (isFull(sums)) break;
    addRow(sums, row);
    [taken, seq] = [taken + 1, row[0]];
  }
  const dayTotals = regrouped(sums.groups(), byDayOfAll);
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

/** With the next event, there would be more in them than a transaction may add. */
const isFull = ({ size, units }: HourSums): boolean => size >= MOST_GROUPS || units >= MOST_UNITS;

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
