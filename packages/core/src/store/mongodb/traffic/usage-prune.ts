import type { AnyBulkWriteOperation, Collection, Filter } from "mongodb";
import { DAY_MS, HOUR_MS } from "../../../usage/report-plan.ts";
import type { UsageSlice } from "../../store.ts";
import type { TrafficCollections, UsageBatch, UsageSums } from "./collections.ts";
import { ensureFoldState } from "./usage-fold.ts";
import type { UsageLog } from "./usage-log.ts";
import { batchOf, placeOf } from "./usage-place.ts";
import { writeAll } from "./write-all.ts";

export const pruneUsage = async (
  { usage, hours, totals, state, coarse }: TrafficCollections,
  log: UsageLog,
  before: number,
  limit: number,
): Promise<UsageSlice> => {
  const cut = Math.floor(before / DAY_MS) * DAY_MS;
  const { seq, pruned, gone: goneTo = -1 } = await ensureFoldState(state);
  // The coarse sums may be a slice behind, and catch up from the events.
  const folded = Math.min(seq, (await coarse.findOne({ _id: "coarse" }))?.seq ?? seq);
  const old = usage.find(
    { _id: { $lte: batchOf(folded) }, "e.at": { $lt: cut } },
    { projection: { "e.k": 1, "e.at": 1 }, limit, batchSize: 50 },
  );
  const writes: AnyBulkWriteOperation<UsageBatch>[] = [];
  const head = await log.head();
  let events = 0;
  let furthest = goneTo;
  for await (const batch of old) {
    const goes = (batch.e ?? []).filter(({ k, at }) => at < cut && placeOf(batch._id, k) <= folded);
    const taken = goes.slice(0, limit - events);
    if (taken.length === 0) continue;
    events += taken.length;
    for (const { k } of taken) furthest = Math.max(furthest, placeOf(batch._id, k));
    writes.push(without(batch, taken, head));
    if (events === limit) break;
  }
  const gone = events < limit ? await oldSums([totals, hours], cut, limit) : [];
  if (events === 0 && gone.length === 0) return { events, more: false };
  // Before the first record goes: from then on a report must not look for records before it, nor one that has read the
  // sums already for events that were not in them then.
  if (pruned < cut || goneTo < furthest)
    await state.updateOne({ _id: "usage" }, { $max: { pruned: cut, gone: furthest } });
  await writeAll(usage, writes);
  for (const { sums, ids } of gone) await sums.deleteMany({ _id: { $in: [...ids] } });
  return { events, more: events === limit || gone.some(({ ids }) => ids.length === limit) };
};

/** May be done any number of times, and by several at once. */
const without = (
  { _id, e = [] }: UsageBatch,
  taken: readonly { readonly k: number }[],
  head: number,
): AnyBulkWriteOperation<UsageBatch> => {
  if (taken.length < e.length)
    return {
      updateOne: { filter: { _id }, update: { $pull: { e: { k: { $in: taken.map(({ k }) => k) } } } } },
    };
  // The next batch takes the number behind the newest one.
  if (_id < head) return { deleteOne: { filter: { _id } } };
  return { updateOne: { filter: { _id }, update: { $unset: { e: 1 } } } };
};

interface OldSums {
  readonly sums: Collection<UsageSums>;
  readonly ids: readonly UsageSums["_id"][];
}

const oldSums = async (
  collections: readonly Collection<UsageSums>[],
  cut: number,
  limit: number,
): Promise<readonly OldSums[]> => {
  const found = await Promise.all(
    collections.map(async (sums) => {
      const old = await sums
        .find({ _id: { $lt: { p: cut / HOUR_MS } } } as Filter<UsageSums>, { projection: { _id: 1 }, limit })
        .toArray();
      return { sums, ids: old.map(({ _id }) => _id) };
    }),
  );
  return found.filter(({ ids }) => ids.length > 0);
};
