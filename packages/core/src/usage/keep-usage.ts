import { setTimeout as delay } from "node:timers/promises";
import { inTime } from "../store/in-time.ts";
import type { TrafficStore, UsageSlice } from "../store/store.ts";
import { DAY_MS } from "./report-plan.ts";

export interface KeepUsageOptions {
  readonly traffic: Pick<TrafficStore, "foldUsage" | "pruneUsage">;
  /** Events of days before the one of this time go, milliseconds since the epoch; undefined: none. */
  readonly before: number | undefined;
  /** The share of the time that each may keep the store from others who write; `behind`: folding, once it is behind. */
  readonly shares: { readonly fold: number; readonly behind: number; readonly prune: number };
  /** Most events read and summed up in one step; 2,000 unless given. Fewer keep a core that others want for less time on end. */
  readonly foldSlice?: number;
  /** Most events dropped in one step; 100 unless given, which keeps others from a store's one write lock for a moment. */
  readonly pruneSlice?: number;
  /** How long each may take, so that a great deal of the one does not hold up the other; endless unless given. */
  readonly longestMs?: { readonly fold: number; readonly prune: number };
  readonly signal?: AbortSignal;
  /** After every slice: how many events have gone so far. */
  readonly onPruned?: (events: number) => Promise<void> | void;
}

export interface KeptUsage {
  readonly pruned: number;
  /** It was broken off, or ran out of time. */
  readonly more: boolean;
}

const FOLD_SLICE = 2_000;
const PRUNE_SLICE = 100;
const SHORTEST_PAUSE_MS = 1;
/** A slice takes milliseconds; one that is not answered in this time ends the work, which is begun anew another time. */
const SLICE_TIMEOUT_MS = 60_000;
/** With more than so many events at once, folding does not keep pace: slow reports are worse then than short waits. */
const BEHIND = 5_000;

/**
 * Counts new events into the sums that reports are made of, then drops old ones, slice by slice with pauses, so that no
 * slice keeps the store from anybody for more than a few milliseconds. May be broken off between any two slices.
 */
export const keepUsage = async (options: KeepUsageOptions): Promise<KeptUsage> => {
  const { traffic, before, shares, longestMs, foldSlice = FOLD_SLICE, pruneSlice = PRUNE_SLICE, onPruned } = options;
  const foldShare = (done: number): number => (done < BEHIND ? shares.fold : shares.behind);
  const unfolded = await inSlices(options, longestMs?.fold, foldShare, () =>
    inTime(traffic.foldUsage(foldSlice), SLICE_TIMEOUT_MS),
  );
  if (before === undefined) return { pruned: 0, more: unfolded };
  let pruned = 0;
  const unpruned = await inSlices(
    options,
    longestMs?.prune,
    () => shares.prune,
    async () => {
      const slice = await inTime(traffic.pruneUsage(before, pruneSlice), SLICE_TIMEOUT_MS);
      pruned += slice.events;
      if (slice.events > 0) await onPruned?.(pruned);
      return slice;
    },
  );
  return { pruned, more: unfolded || unpruned };
};

/** @returns true when there is more to do */
const inSlices = async (
  { signal }: KeepUsageOptions,
  longestMs: number | undefined,
  shareAfter: (events: number) => number,
  step: () => UsageSlice | Promise<UsageSlice>,
): Promise<boolean> => {
  const end = performance.now() + (longestMs ?? Number.POSITIVE_INFINITY);
  let events = 0;
  for (let started = performance.now(); started < end && signal?.aborted !== true; started = performance.now()) {
    const slice = await step();
    if (!slice.more) return false;
    events += slice.events;
    const share = shareAfter(events);
    const took = performance.now() - started;
    await delay(Math.max(SHORTEST_PAUSE_MS, (took * (1 - share)) / share));
  }
  return true;
};

/** @param setting a value of the setting `usage-days` @returns what {@link KeepUsageOptions.before} is to be */
export const pruneTime = (setting: string | undefined, now: number): number | undefined =>
  setting === undefined || setting === "forever" ? undefined : now - Number(setting) * DAY_MS;
