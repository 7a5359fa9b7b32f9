import type { VersionedWindow } from "../store/store.ts";
import {
  counted,
  EMPTY_WINDOW,
  giveBack,
  nextFreeAt,
  oldestFreeAt,
  type PermitWindow,
  type Spent,
  settle,
  spend,
} from "./permit-window.ts";

/** The limiter's answer. A refusal is a value, not an error. */
export interface Permit {
  readonly admitted: boolean;
  readonly limit: number;
  /** Permits left in the window after this one. */
  readonly remaining: number;
  /** Milliseconds until at least one more permit is free; > 0. */
  readonly resetMs: number;
  /** When it was granted, steady milliseconds: what `Limiter.refund` finds it by. */
  readonly at: number;
}

/** What this instance knows of one key. Times are the store's steady milliseconds. */
export interface Holding {
  version: number;
  window: PermitWindow;
  /** The store had it no earlier than then. */
  knownAt: number;
  limit: number;
  /** Of the current lease: permits not handed out, permits handed out and when last, its end (0: there is none). */
  leaseLeft: number;
  leaseUsed: number;
  leaseLastUse: number;
  leaseUntil: number;
  /** Admitted while the store was away; written with the next permit. */
  unsaved: readonly Spent[];
  /** Those of them that a write has carried whose end is not known: it may have been stored, or may yet be. */
  inDoubt: Set<Spent>;
  /** Admitted alone, and since then, for as long as the others may not have written theirs: what its share is judged by. */
  alone: readonly Spent[];
  refusedUntil: number;
  /** Somebody else may have given permits back since it was read. */
  outdated: boolean;
  /** A store call for this key is under way. */
  turn: Promise<unknown> | undefined;
  /** How many calls wait for its end to get a permit. */
  waiting: number;
  /** Permits that the last store call took for those, and when. */
  granted: number;
  grantedAt: number;
}

/** Whose lease it is, and how long a permit counts. */
export interface Terms {
  readonly holder: string;
  readonly windowMs: number;
}

/** Up to this limit every permit is granted by the store one by one; above it, in bundles of a sixtieth. */
export const SINGLE_PERMIT_LIMIT = 120;

export const newHolding = (limit: number): Holding => ({
  version: 0,
  window: EMPTY_WINDOW,
  knownAt: Number.NEGATIVE_INFINITY,
  limit,
  leaseLeft: 0,
  leaseUsed: 0,
  leaseLastUse: 0,
  leaseUntil: 0,
  unsaved: [],
  inDoubt: new Set(),
  alone: [],
  refusedUntil: 0,
  outdated: false,
  turn: undefined,
  waiting: 0,
  granted: 0,
  grantedAt: 0,
});

export const endLease = (holding: Holding): void => {
  holding.leaseLeft = 0;
  holding.leaseUsed = 0;
  holding.leaseUntil = 0;
};

/**
 * Takes over what the store has. A write whose end was not known may have been stored after all: what it carried is then
 * in the window, and counts once.
 */
export const takeOver = (holding: Holding, found: VersionedWindow | undefined, holder: string): void => {
  const { version, window } = found ?? { version: 0, window: EMPTY_WINDOW };
  holding.version = version;
  if (holding.inDoubt.size > 0) {
    // Of the same moment there may be others, which were there before.
    const stored = without(window.spent, holding.window.spent);
    holding.unsaved = holding.unsaved.filter((entry) => {
      const index = stored.findIndex((other) => isSame(entry, other));
      if (index < 0 || !holding.inDoubt.has(entry)) return true;
      stored.splice(index, 1);
      return false;
    });
  }
  holding.window = window;
  if (window.leases.some((lease) => lease.holder === holder && lease.until === holding.leaseUntil)) return;
  // Our lease ran out and somebody else has already counted it as spent, or a write in doubt has. That one may have taken
  // the next lease, of which nothing was handed out.
  endLease(holding);
  holding.window = giveBack(window, holder, undefined);
};

const isSame = (one: Spent, other: Spent): boolean => one[0] === other[0] && one[1] === other[1];

const without = (list: readonly Spent[], known: readonly Spent[]): Spent[] => {
  const rest = [...known];
  return list.filter((entry) => {
    const index = rest.findIndex((other) => isSame(entry, other));
    if (index >= 0) rest.splice(index, 1);
    return index < 0;
  });
};

/** The window as it stands at `now`, with what this instance did and has not written yet. */
export const currentWindow = (holding: Holding, now: number, { holder, windowMs }: Terms): PermitWindow => {
  let window = holding.window;
  if (holding.leaseUntil !== 0) {
    const used = holding.leaseUsed > 0 ? ([holding.leaseLastUse, holding.leaseUsed] as const) : undefined;
    window = giveBack(window, holder, used);
  }
  for (const [at, count] of holding.unsaved) window = spend(window, at, count);
  return settle(window, now, windowMs);
};

export const admitted = (holding: Holding, now: number, { windowMs }: Terms): Permit => {
  const used = counted(holding.window) - holding.leaseLeft + holding.unsaved.reduce((sum, [, count]) => sum + count, 0);
  const freeAt = oldestFreeAt(holding.window, windowMs) ?? now + windowMs;
  return {
    admitted: true,
    limit: holding.limit,
    remaining: Math.max(0, holding.limit - used),
    resetMs: Math.max(1, freeAt - now),
    at: now,
  };
};

export const refused = (holding: Holding, now: number, terms: Terms): Permit => {
  const freeAt = nextFreeAt(currentWindow(holding, now, terms), holding.limit, terms.windowMs);
  return { admitted: false, limit: holding.limit, remaining: 0, resetMs: Math.max(1, freeAt - now), at: now };
};

/** So much of what could not be written may count together. */
export const UNSAVED_STEP_MS = 1_000;

/**
 * One more permit that could not be written. Those of one second count together, as of the last of them: an outage
 * costs a client with a large limit a minute's 60 entries, not one for each of its calls.
 */
export const withUnsaved = (
  { unsaved, inDoubt, limit }: Holding,
  now: number,
  windowMs: number,
): Holding["unsaved"] => {
  const counting = unsaved.filter(([at]) => now - at < windowMs);
  const last = counting.at(-1);
  const step = (at: number): number => Math.floor(at / UNSAVED_STEP_MS);
  const together = limit > SINGLE_PERMIT_LIMIT && last !== undefined && step(last[0]) === step(now);
  // What is in doubt is to be found again as it was.
  if (!together || inDoubt.has(last)) return [...counting, [now, 1]];
  return [...counting.slice(0, -1), [now, last[1] + 1]];
};

/** So many more were admitted on this instance's share. Those of one second count together, as of the last of them. */
export const withAlone = (alone: Holding["alone"], now: number, count: number, windowMs: number): Holding["alone"] => {
  const counting = alone.filter(([at]) => now - at < windowMs);
  const last = counting.at(-1);
  if (last === undefined || Math.floor(last[0] / UNSAVED_STEP_MS) !== Math.floor(now / UNSAVED_STEP_MS))
    return [...counting, [now, count]];
  return [...counting.slice(0, -1), [now, last[1] + count]];
};
