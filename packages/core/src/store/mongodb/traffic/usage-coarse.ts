import type { AnyBulkWriteOperation, Collection, Filter } from "mongodb";
import { dayOfMonth } from "../../../usage/report-months.ts";
import { DAY_MS } from "../../../usage/report-plan.ts";
import {
  addTo,
  byDayOfAll,
  byMonth,
  monthOf,
  ofAllClients,
  regrouped,
  sumUp,
  type UsageGroup,
} from "../../../usage/usage-groups.ts";
import type { UsageSlice } from "../../store.ts";
import { isDuplicateKey } from "../translate-error.ts";
import type { CoarseState, FoldState, TrafficCollections, UsageSums } from "./collections.ts";
import type { UsageLog } from "./usage-log.ts";
import { placeOf } from "./usage-place.ts";
import { addSums, groupOfRecord, incrementsOf, MOST_GROUPS, type Slice, sumsId } from "./usage-sums.ts";
import { writeAll } from "./write-all.ts";

// Sums by month, and by day of all clients, for reports of a year. They have a place of their own up to which they go:
// gateways of a version that does not know them may run on the same database and fold what is missing here then. That is
// caught up with from the events; from the days where there were none of these sums before, or events were pruned.

/** To be called again: it goes on. */
const AGAIN: UsageSlice = { events: 0, more: true };

const readMain = async ({ state }: TrafficCollections): Promise<Pick<FoldState, "seq" | "to" | "gone">> =>
  (await state.findOne({ _id: "usage" })) ?? { seq: -1, to: null };

/** @param main as it was before */
export const ensureCoarseState = async (
  { coarse, days }: TrafficCollections,
  main: Pick<FoldState, "seq">,
): Promise<CoarseState> => {
  const found = await coarse.findOne({ _id: "coarse" });
  if (found !== null) return found;
  const isNew = main.seq === -1 && (await days.findOne({}, { projection: { _id: 1 } })) === null;
  const state: CoarseState = { _id: "coarse", seq: main.seq, to: null, ...(!isNew && { next: 0 }) };
  try {
    await coarse.insertOne(state);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  return state;
};

/** Whether they are there, and lack something that the sums by hour and day have. */
export const isBehind = ({ seq, to, next }: CoarseState, main: Pick<FoldState, "seq">): boolean =>
  next === undefined && (to !== null || seq < main.seq);

/** Takes a slice in that was just folded, unless somebody else does or something before it is missing. */
export const addToCoarse = async (
  collections: TrafficCollections,
  hours: readonly UsageGroup[],
  slice: Slice,
): Promise<void> => {
  if (await claim(collections, slice)) await takeIn(collections, hours, slice);
};

const claim = async ({ coarse }: TrafficCollections, { seq, to }: Slice): Promise<boolean> => {
  const free = { _id: "coarse", seq, to: null, next: { $exists: false } } as const;
  return (await coarse.updateOne(free, { $set: { to } })).matchedCount === 1;
};

const takeIn = async (
  { months, dayTotals, coarse }: TrafficCollections,
  hours: readonly UsageGroup[],
  slice: Slice,
): Promise<void> => {
  await Promise.all([
    addSums(months, regrouped(hours, byMonth), slice),
    addSums(dayTotals, regrouped(hours, byDayOfAll), slice),
  ]);
  await coarse.updateOne({ _id: "coarse", ...slice }, { $set: { seq: slice.to, to: null } });
};

/** The next slice that is missing, or the one that somebody has begun. */
export const catchUp = async (
  collections: TrafficCollections,
  log: UsageLog,
  state: CoarseState,
  limit: number,
): Promise<UsageSlice> => {
  const { seq, to, marks = [] } = state;
  const main = await readMain(collections);
  // Months were made at these places: what goes past one would be taken in twice by some, or not at all by others.
  const end = to ?? Math.min(main.seq, ...marks.filter((mark) => mark > seq));
  const { events, more } = await log.next(seq, to === null ? limit : Number.POSITIVE_INFINITY, end);
  const { hours, taken } = sumUp(
    events.map(({ e }) => e),
    to === null ? MOST_GROUPS : Number.POSITIVE_INFINITY,
  );
  const last = events[taken - 1];
  const isAll = last === undefined || (!more && taken === events.length);
  const slice = { seq, to: isAll ? end : placeOf(last._id, last.e.k) };
  // Said before they go, so that all were read where it is not said now.
  const { gone = -1 } = await readMain(collections);
  if (gone > seq) return makeAnew(collections, state);
  if (to !== null || (await claim(collections, slice))) await takeIn(collections, hours, slice);
  return { events: taken, more: true };
};

const makeAnew = async (collections: TrafficCollections, { seq, to }: CoarseState): Promise<UsageSlice> => {
  const main = await readMain(collections);
  const from = { seq: main.seq, to: null, next: 0, marks: [] };
  await collections.coarse.updateOne({ _id: "coarse", seq, to }, { $set: from });
  return AGAIN;
};

/** Makes the next month from its days, as of a moment in which nothing is folded. Anybody may, and several at once. */
export const makeMonth = async (collections: TrafficCollections, state: CoarseState): Promise<UsageSlice> => {
  const { coarse, days } = collections;
  const { seq, next = 0 } = state;
  const { seq: place, to, gone = -1 } = await readMain(collections);
  if (gone > seq) return makeAnew(collections, state);
  if (to !== null) return AGAIN;
  const own = { _id: "coarse", seq, next } as const;
  const first = await days.findOne(fromDay(dayOfMonth(next)), { sort: { _id: 1 }, projection: { _id: 1 } });
  if (first === null) {
    await coarse.updateOne(own, { $unset: { next: "" } });
    return AGAIN;
  }
  const month = monthOf(first._id.p * DAY_MS);
  const marked = await coarse.updateOne(own, { $addToSet: { marks: place } });
  if (marked.matchedCount === 0) return AGAIN;
  const sums = new CoarseSums();
  for await (const record of days.find(fromDay(dayOfMonth(month), dayOfMonth(month + 1))))
    sums.add(groupOfRecord(record));
  const after = await readMain(collections);
  if (after.seq !== place || after.to !== null) return AGAIN;
  await sums.write(collections, place);
  await coarse.updateOne(own, { $set: { next: month + 1 } });
  return AGAIN;
};

const fromDay = (from: number, to: number = Number.POSITIVE_INFINITY): Filter<UsageSums> =>
  ({ _id: { $gte: { p: from }, $lt: { p: to } } }) as Filter<UsageSums>;

/** What days come to. Of a month, all of its days have to be added before it is written. */
export class CoarseSums {
  readonly #months = new Map<string, UsageGroup>();
  readonly #dayTotals = new Map<string, UsageGroup>();

  /** @param group of a day */
  add(group: UsageGroup): void {
    addTo(this.#months, monthOfDay, group);
    addTo(this.#dayTotals, ofAllClients, group);
  }

  /** @param cur the place in the log up to which they go. What has come as far already is left alone */
  async write({ months, dayTotals }: TrafficCollections, cur: number): Promise<void> {
    await setSums(months, this.#months.values(), cur);
    await setSums(dayTotals, this.#dayTotals.values(), cur);
  }
}

const monthOfDay = ([day, ...rest]: UsageGroup["key"]): UsageGroup["key"] => byMonth([day * 24, ...rest]);

const setSums = async (collection: Collection<UsageSums>, groups: Iterable<UsageGroup>, cur: number): Promise<void> => {
  const writes = [...groups].map(
    (group): AnyBulkWriteOperation<UsageSums> => ({
      updateOne: {
        filter: { _id: sumsId(group.key), cur: { $lt: cur } },
        update: { $set: { cur, ...incrementsOf(group) } },
        upsert: true,
      },
    }),
  );
  await writeAll(collection, writes);
};
