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
  limit: number;
  /** Of the current lease: permits not handed out, permits handed out and when last, its end (0: there is none). */
  leaseLeft: number;
  leaseUsed: number;
  leaseLastUse: number;
  leaseUntil: number;
  /** Admitted while the store was away; written with the next permit. */
  unsaved: readonly Spent[];
  refusedUntil: number;
  /** Somebody else may have given permits back since it was read. */
  outdated: boolean;
  /** A store call for this key is under way. */
  turn: Promise<unknown> | undefined;
}

/** Whose lease it is, and how long a permit counts. */
export interface Terms {
  readonly holder: string;
  readonly windowMs: number;
}

export const newHolding = (limit: number): Holding => ({
  version: 0,
  window: EMPTY_WINDOW,
  limit,
  leaseLeft: 0,
  leaseUsed: 0,
  leaseLastUse: 0,
  leaseUntil: 0,
  unsaved: [],
  refusedUntil: 0,
  outdated: false,
  turn: undefined,
});

export const endLease = (holding: Holding): void => {
  holding.leaseLeft = 0;
  holding.leaseUsed = 0;
  holding.leaseUntil = 0;
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
