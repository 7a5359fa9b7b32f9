import { DAY_MS } from "../durations.ts";

/**
 * What one client has used of its quotas, as the store keeps it. Amounts are steps of the units' counters, times the
 * store's steady milliseconds.
 */
export interface QuotaRecord {
  /** By unit and period, see {@link countKey}. */
  readonly used: Counts;
  /** What gateways have set aside, by their ids. */
  readonly holders: Readonly<Record<string, Holder>>;
}

/** Each with the end of its period. */
export type Counts = Readonly<Record<string, Count>>;

export type Count = readonly [amount: number, end: number];

/** One gateway's part: what it may let its calls use without asking, and what its open calls may use at most. */
export interface Holder {
  /** Of its last write that is in the record: after an answer that was lost it tells whether that one is. */
  readonly seq: number;
  /** When that was. */
  readonly at: number;
  /** By the quota's units and period, see {@link sumKey}. */
  readonly held: Counts;
}

export const EMPTY_RECORD: QuotaRecord = { used: {}, holders: {} };

/** A gateway says at least so often that it is there for as long as it has something set aside. */
export const RENEW_MS = 20_000;
/** What a gateway has set aside that has not said so for so long counts as used: nobody knows how much of it was. */
export const DEAD_MS = 60_000;
/** A period that is over is kept for so long, for calls that go on beyond it. */
const LATE_MS = DAY_MS;
/** A gateway whose way to the store was cut may come back with what it counted, and must then know its own last write. */
const FORGOTTEN_MS = 7 * DAY_MS;

export const countKey = (unit: string, label: string): string => `${unit} ${label}`;

/** The same in whatever order the units were given. */
export const sumKey = (units: readonly string[], label: string): string => countKey([...units].sort().join("+"), label);

/** Where what was set aside under a {@link sumKey} counts when it is taken for used. */
export const countKeyOf = (sum: string): string => sum.replace(/\+[^ ]*/, "");

/** The record with so much more used; an amount may be below 0. @param most no count is above it */
export const counting = (used: Counts, more: Iterable<readonly [key: string, count: Count]>, most: number): Counts => {
  const next: Record<string, Count> = { ...used };
  for (const [key, [amount, end]] of more) {
    const sum = (next[key]?.[0] ?? 0) + amount;
    next[key] = [Math.min(most, Math.max(0, sum)), end];
  }
  return next;
};

/** The record at `now`: what the dead had set aside is used, whatever matters no more left out. @param but is alive */
export const settled = (record: QuotaRecord, now: number, most: number, but: string): QuotaRecord => {
  let { used } = record;
  const holders: Record<string, Holder> = {};
  for (const [id, holder] of Object.entries(record.holders)) {
    if (now - holder.at >= FORGOTTEN_MS) continue;
    const held = Object.entries(holder.held);
    if (now - holder.at < DEAD_MS || held.length === 0 || id === but) {
      holders[id] = holder;
      continue;
    }
    used = counting(
      used,
      held.map(([key, count]) => [countKeyOf(key), count] as const),
      most,
    );
    holders[id] = { ...holder, held: {} };
  }
  const current = Object.entries(used).filter(([, [, end]]) => now - end < LATE_MS);
  return { used: Object.fromEntries(current), holders };
};

/** What all have set aside under a key, or all but one. */
export const heldOf = ({ holders }: QuotaRecord, key: string, but?: string): number => {
  let sum = 0;
  for (const [id, { held }] of Object.entries(holders)) if (id !== but) sum += held[key]?.[0] ?? 0;
  return sum;
};

/** What was used under any of these keys. */
export const usedOf = ({ used }: QuotaRecord, keys: readonly string[]): number =>
  keys.reduce((sum, key) => sum + (used[key]?.[0] ?? 0), 0);

/** When nothing in it matters any more. */
export const endOfRecord = ({ used, holders }: QuotaRecord): number => {
  let latest = 0;
  for (const [, end] of Object.values(used)) latest = Math.max(latest, end + LATE_MS);
  for (const { at, held } of Object.values(holders)) {
    latest = Math.max(latest, at + FORGOTTEN_MS);
    for (const [, end] of Object.values(held)) latest = Math.max(latest, end + LATE_MS);
  }
  return latest;
};
