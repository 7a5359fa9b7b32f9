import { HourSums, type UsageGroup } from "../../../usage/usage-groups.ts";
import type { UsageSlice } from "../../store.ts";
import type { Database } from "../files/database.ts";
import { compareKeys, endFolding, type Folding, isSameFolding, readFolding, writeFolding } from "./usage-folding.ts";
import { addToSums, catchUp, foldedSeq, hasDayTotals, MOST_GROUPS, MOST_UNITS, moveCursors } from "./usage-rollup.ts";
import { addRow, readCounted } from "./usage-row.ts";

/** Of one folding. It bounds what a report has to read until its last group is in the sums. */
const MOST_EVENTS = 50_000;
/** Bounds its memory, and how long they take to be put in order. */
const MOST_IN_ALL = { groups: 4_000, units: 16_000 };
/** Behind every event that there is. */
const NEWEST = Number.MAX_SAFE_INTEGER;

/** Events that were read, and are in no sums yet. */
interface Gathered {
  readonly from: number;
  /** Where reading ends. */
  readonly to: number;
  readonly sums: HourSums;
  events: number;
  /** Of the last one. */
  seq: number;
  isAll: boolean;
  /** In their order, once all are there. */
  groups?: readonly UsageGroup[];
}

/** The groups of a folding in their order: those that are left, and maybe some before them. */
interface Left {
  readonly from: number;
  readonly to: number;
  readonly groups: readonly UsageGroup[];
  /** Of all events that there were when the last of them was read. */
  readonly isAll: boolean;
}

/**
 * Counts events into all sums, a step at a time. Each reads some events, without any lock, or adds some groups to the
 * sums, in a transaction of about a millisecond. Events that come to many groups are gathered first, so that each group
 * is added once and not once for every few events (decision 105). What was gathered is lost with the process, no more.
 */
export class UsageFolder {
  readonly #db: Database;
  #gathered: Gathered | undefined;
  #left: Left | undefined;

  constructor(db: Database) {
    this.#db = db;
  }

  /** The next step. @param limit of events that it reads */
  fold(limit: number): UsageSlice {
    const db = this.#db;
    const folding = readFolding(db);
    if (folding !== undefined) return this.#goOn(folding, limit);
    if (!hasDayTotals(db)) return catchUp(db, limit);
    const gathered = this.#gatheredFrom(foldedSeq(db), NEWEST);
    if (isEnough(gathered)) {
      if (gathered.groups !== undefined) return this.#begin(gathered, gathered.groups);
      // A step of its own: with some thousand groups it takes a millisecond.
      gathered.groups = inOrder(gathered.sums);
      return { events: 0, more: true };
    }
    const events = this.#gather(gathered, limit);
    if (events === 0 && gathered.events === 0) return { events, more: false };
    const { sums } = gathered;
    if (sums.size > MOST_GROUPS || sums.units > MOST_UNITS) return { events, more: true };
    this.#add(gathered);
    return { events, more: !gathered.isAll };
  }

  /** Adds all that was gathered. */
  #add({ from, seq, sums }: Gathered): void {
    const db = this.#db;
    this.#gathered = undefined;
    db.immediate(() => {
      // Another process took the same events up meanwhile.
      if (foldedSeq(db) !== from) return;
      addToSums(db, sums.groups());
      moveCursors(db, seq);
    });
  }

  #begin({ from, seq: to, isAll }: Gathered, groups: readonly UsageGroup[]): UsageSlice {
    const db = this.#db;
    const part = firstOf(groups);
    const done = part.at(-1)?.key;
    this.#gathered = undefined;
    if (done === undefined) return { events: 0, more: true };
    this.#left = { from, to, groups, isAll };
    db.immediate(() => {
      // Another process took the same events up meanwhile.
      if (foldedSeq(db) !== from) return;
      addToSums(db, part);
      writeFolding(db, { from, to, done });
      moveCursors(db, to);
    });
    return { events: 0, more: true };
  }

  /** With a folding that was begun, by whomever. */
  #goOn(folding: Folding, limit: number): UsageSlice {
    const db = this.#db;
    const { from, to } = folding;
    if (this.#left?.from !== from || this.#left.to !== to) {
      const gathered = this.#gatheredFrom(from, to);
      this.#gather(gathered, limit);
      if (!gathered.isAll) return { events: 0, more: true };
      this.#gathered = undefined;
      this.#left = { from, to, groups: inOrder(gathered.sums), isAll: false };
      return { events: 0, more: true };
    }
    const { groups, isAll } = this.#left;
    const next = groups.findIndex(({ key }) => compareKeys(key, folding.done) > 0);
    const left = next < 0 ? [] : groups.slice(next);
    const part = firstOf(left);
    const done = part.at(-1)?.key;
    const isLast = part.length === left.length;
    db.immediate(() => {
      // Another process has gone on with it meanwhile.
      if (!isSameFolding(readFolding(db), folding)) return;
      addToSums(db, part);
      if (isLast || done === undefined) endFolding(db);
      else writeFolding(db, { from, to, done });
    });
    this.#left = isLast ? undefined : { from, to, groups: left, isAll };
    // What has come meanwhile is for the next time: it comes to nearly as many groups as more of it would.
    return { events: 0, more: !(isLast && isAll) };
  }

  #gatheredFrom(from: number, to: number): Gathered {
    if (this.#gathered?.from === from && this.#gathered.to === to) return this.#gathered;
    this.#gathered = { from, to, sums: new HourSums(), events: 0, seq: from, isAll: false };
    return this.#gathered;
  }

  /** @returns how many were read */
  #gather(gathered: Gathered, limit: number): number {
    const rows = readCounted(this.#db, gathered.seq, gathered.to, limit);
    for (const row of rows) addRow(gathered.sums, row);
    gathered.events += rows.length;
    gathered.seq = rows.at(-1)?.[0] ?? gathered.seq;
    gathered.isAll = rows.length < limit;
    return rows.length;
  }
}

const isEnough = ({ events, isAll, sums }: Gathered): boolean =>
  events > 0 && (isAll || events >= MOST_EVENTS || sums.size >= MOST_IN_ALL.groups || sums.units >= MOST_IN_ALL.units);

const inOrder = (sums: HourSums): readonly UsageGroup[] =>
  sums.groups().sort((one, other) => compareKeys(one.key, other.key));

/** As many as a transaction may add. */
const firstOf = (groups: readonly UsageGroup[]): readonly UsageGroup[] => {
  let units = 0;
  let length = 0;
  while (length < Math.min(groups.length, MOST_GROUPS) && units < MOST_UNITS) {
    units += groups[length]?.worth.size ?? 0;
    length += 1;
  }
  return groups.slice(0, length);
};
