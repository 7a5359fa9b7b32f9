/**
 * A rolling window of permits, as the store keeps it. All times are the store's steady milliseconds.
 *
 * Exactness: a permit granted at `t` counts until `t + windowMs`, so no half-open interval of `windowMs` ever holds more
 * than the limit. A lease counts in full until its holder says what it used; if the holder dies, as spent at its end.
 */
export interface PermitWindow {
  /** `[at, count]`, ascending by `at`. */
  readonly spent: readonly Spent[];
  readonly leases: readonly Lease[];
}

export type Spent = readonly [at: number, count: number];

/** A bundle of permits that one instance may hand out on its own until `until`. */
export interface Lease {
  readonly holder: string;
  readonly count: number;
  readonly until: number;
}

export const EMPTY_WINDOW: PermitWindow = { spent: [], leases: [] };

/** The window at `now`: abandoned leases spent, whatever no longer counts left out. */
export const settle = (window: PermitWindow, now: number, windowMs: number): PermitWindow => {
  const overdue = window.leases.filter((lease) => lease.until <= now);
  const spent = overdue.reduce((list, lease) => insert(list, [lease.until, lease.count]), window.spent);
  return {
    spent: spent.filter(([at]) => now - at < windowMs),
    leases: overdue.length === 0 ? window.leases : window.leases.filter((lease) => lease.until > now),
  };
};

/** Replaces the holder's lease by what it really used of it. */
export const giveBack = (window: PermitWindow, holder: string, used: Spent | undefined): PermitWindow => ({
  spent: used === undefined ? window.spent : insert(window.spent, used),
  leases: window.leases.filter((lease) => lease.holder !== holder),
});

export const spend = (window: PermitWindow, at: number, count: number): PermitWindow => ({
  spent: insert(window.spent, [at, count]),
  leases: window.leases,
});

/**
 * Takes back one permit spent at `at`, if it still counts.
 * @param within those of a bundle count together, as of the last of them, which came so much later at most; 0: each for itself
 */
export const unspend = (window: PermitWindow, at: number, within: number): PermitWindow => {
  const index = window.spent.findIndex(([spentAt]) => spentAt >= at && spentAt - at <= within);
  const entry = window.spent[index];
  if (entry === undefined) return window;
  const rest: Spent[] = entry[1] > 1 ? [[entry[0], entry[1] - 1]] : [];
  return { spent: window.spent.toSpliced(index, 1, ...rest), leases: window.leases };
};

export const lend = (window: PermitWindow, lease: Lease): PermitWindow => ({
  spent: window.spent,
  leases: [...window.leases, lease],
});

export const counted = (window: PermitWindow): number => {
  let total = 0;
  for (const [, count] of window.spent) total += count;
  for (const lease of window.leases) total += lease.count;
  return total;
};

/** When at least one more permit is free under `limit`, given a settled window with none free. */
export const nextFreeAt = (window: PermitWindow, limit: number, windowMs: number): number => {
  let excess = counted(window) - limit + 1;
  const ends = window.leases.map((lease): Spent => [lease.until, lease.count]);
  for (const [at, count] of ends.reduce((list, end) => insert(list, end), window.spent)) {
    excess -= count;
    if (excess <= 0) return at + windowMs;
  }
  return Number.NEGATIVE_INFINITY;
};

/** When the oldest counted permit is free again; undefined in an empty window. */
export const oldestFreeAt = (window: PermitWindow, windowMs: number): number | undefined => {
  const first = window.spent[0]?.[0] ?? window.leases[0]?.until;
  return first === undefined ? undefined : first + windowMs;
};

const insert = (list: readonly Spent[], entry: Spent): readonly Spent[] => {
  const last = list.at(-1);
  if (last === undefined || last[0] <= entry[0]) return [...list, entry];
  const index = list.findIndex(([at]) => at > entry[0]);
  return list.toSpliced(index, 0, entry);
};

/**
 * Permits are kept for so long after the last one was granted, steady milliseconds: no limiter may use a longer window.
 * The store does not know the windows' lengths, which differ by key.
 */
export const LONGEST_WINDOW_MS = 600_000;

/** When nothing counts in it any more, however long its permits do. */
export const endOf = (window: PermitWindow): number => {
  // Ascending by time, so the last one is the latest.
  let latest = window.spent.at(-1)?.[0] ?? 0;
  for (const lease of window.leases) latest = Math.max(latest, lease.until);
  return latest + LONGEST_WINDOW_MS;
};
