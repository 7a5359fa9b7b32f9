import type { AnyBulkWriteOperation, Collection } from "mongodb";
import { byDay, ofAllClients, regrouped, sumUp, type UsageGroup } from "../../../usage/usage-groups.ts";
import { isTimed } from "../../../usage/usage-report.ts";
import type { UsageSlice } from "../../store.ts";
import { isDuplicateKey } from "../translate-error.ts";
import type { FoldState, LastSeen, TrafficCollections } from "./collections.ts";
import { addToCoarse, catchUp, ensureCoarseState, isBehind, makeMonth } from "./usage-coarse.ts";
import type { Unwound, UsageLog } from "./usage-log.ts";
import { placeOf } from "./usage-place.ts";
import { addSums, MOST_GROUPS, type Slice } from "./usage-sums.ts";
import { writeAll } from "./write-all.ts";

const NOTHING_FOLDED: FoldState = { _id: "usage", seq: -1, to: null, pruned: 0 };

export const readFoldState = async (state: Collection<FoldState>): Promise<FoldState> =>
  (await state.findOne({ _id: "usage" })) ?? NOTHING_FOLDED;

/** So that a compare-and-set has something to compare with. */
export const ensureFoldState = async (state: Collection<FoldState>): Promise<FoldState> => {
  const found = await state.findOne({ _id: "usage" });
  if (found !== null) return found;
  try {
    await state.insertOne(NOTHING_FOLDED);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  return NOTHING_FOLDED;
};

/** The next slice of the log into all sums; or what the coarse ones lack, those of months and of days of all clients. */
export const foldUsage = async (collections: TrafficCollections, log: UsageLog, limit: number): Promise<UsageSlice> => {
  const main = await ensureFoldState(collections.state);
  const coarse = await ensureCoarseState(collections, main);
  if (isBehind(coarse, main)) return catchUp(collections, log, coarse, limit);
  const slice = await foldSlice(collections, log, main, limit);
  // Last: a store whose months are too much for a slice would fold nothing else.
  return slice.events > 0 || slice.more || coarse.next === undefined ? slice : makeMonth(collections, coarse);
};

/**
 * Claims the next slice of the log, adds it to the sums, and says so. Each record of sums keeps the place up to which it
 * has taken its events in, so that a slice can be added any number of times, by anybody; because it was claimed first,
 * it is the same slice each time. One that somebody else has begun is finished first: that one may have been killed, or
 * may work on at the same time.
 */
const foldSlice = async (
  collections: TrafficCollections,
  log: UsageLog,
  { seq, to }: FoldState,
  limit: number,
): Promise<UsageSlice> => {
  const { state } = collections;
  if (to !== null) {
    const { events } = await log.next(seq, Number.POSITIVE_INFINITY, to);
    const done = await addSlice(collections, events, { seq, to });
    return { events: done ? events.length : 0, more: true };
  }
  const { events, more } = await log.next(seq, limit);
  const { taken } = sumUp(
    events.map(({ e }) => e),
    MOST_GROUPS,
  );
  const last = events[taken - 1];
  if (last === undefined) return { events: 0, more: false };
  const end = placeOf(last._id, last.e.k);
  const claimed = await state.updateOne({ _id: "usage", seq, to: null }, { $set: { to: end } });
  // Somebody else was first, or it was this very call and the answer was lost: the next one finishes it.
  if (claimed.matchedCount === 0) return { events: 0, more: true };
  const done = await addSlice(collections, events.slice(0, taken), { seq, to: end });
  return { events: done ? taken : 0, more: more || taken < events.length };
};

/** @returns false when somebody else has finished it meanwhile */
const addSlice = async (
  collections: TrafficCollections,
  events: readonly Unwound[],
  slice: Slice,
): Promise<boolean> => {
  const { hours, days, totals, last, state } = collections;
  const { hours: groups } = sumUp(
    events.map(({ e }) => e),
    Number.POSITIVE_INFINITY,
  );
  await Promise.all([
    addSums(hours, groups, slice),
    addSums(days, regrouped(groups, byDay), slice),
    addSums(totals, regrouped(groups, ofAllClients), slice),
    addLastSeen(last, groups),
  ]);
  const finished = await state.updateOne({ _id: "usage", ...slice }, { $set: { seq: slice.to, to: null } });
  await addToCoarse(collections, groups, slice);
  return finished.matchedCount === 1;
};

const addLastSeen = async (collection: Collection<LastSeen>, groups: readonly UsageGroup[]): Promise<void> => {
  const writes = groups.map(
    ({ key: [, client, , , outcome], lastAt }): AnyBulkWriteOperation<LastSeen> => ({
      updateOne: {
        filter: { _id: client },
        update: { $max: { at: lastAt, ...(isTimed(outcome) && { letInAt: lastAt }) } },
        upsert: true,
      },
    }),
  );
  await writeAll(collection, writes);
};
