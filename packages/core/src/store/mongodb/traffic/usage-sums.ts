import type { AnyBulkWriteOperation, Collection } from "mongodb";
import type { UsageSums as PortableSums } from "../../../transfer/parts.ts";
import { LATENCY_BUCKETS } from "../../../usage/latency-buckets.ts";
import type { UsageGroup } from "../../../usage/usage-groups.ts";
import { fromStoredSum, toStoredSum, WORTH_COUNTS } from "../../../usage/worth.ts";
import type { UsageSums } from "./collections.ts";
import { writeAll } from "./write-all.ts";

/** Bounds one write of sums. */
export const MOST_GROUPS = 2_000;

/** A part of the log: behind one place and up to another. */
export interface Slice {
  readonly seq: number;
  readonly to: number;
}

/** A record's `_id`: model and plan only where there is one. */
export const sumsId = ([p, c, s, u, o, m, l]: UsageGroup["key"]): UsageSums["_id"] => ({
  p,
  c,
  s,
  u,
  o,
  ...(m !== "" && { m }),
  ...(l !== "" && { l }),
});

export const keyOfSums = ({ p, c, s, u, o, m = "", l = "" }: UsageSums["_id"]): UsageGroup["key"] => [
  p,
  c,
  s,
  u,
  o,
  m,
  l,
];

/** What a group adds to its record, by field; a field that it adds nothing to is absent but for the first four. */
export const incrementsOf = ({ sums, worth }: Pick<UsageGroup, "sums" | "worth">): Readonly<Record<string, number>> => {
  const [n = 0, bytesIn = 0, out = 0, ms = 0, ...others] = sums;
  const increments: Record<string, number> = { n, in: bytesIn, out, ms };
  for (const [index, count] of others.entries()) {
    if (count === 0) continue;
    increments[WORTH_COUNTS[index] ?? `b.${index - WORTH_COUNTS.length}`] = count;
  }
  for (const [unit, sum] of worth) {
    const { whole, millionths } = toStoredSum(sum);
    increments[`w.${unit}.n`] = whole;
    increments[`w.${unit}.f`] = millionths;
  }
  return increments;
};

/** Adds a claimed slice: any number of times, to what has come up to it. */
export const addSums = async (
  collection: Collection<UsageSums>,
  groups: Iterable<UsageGroup>,
  { seq, to }: Slice,
): Promise<void> => {
  const writes = [...groups].map(
    (group): AnyBulkWriteOperation<UsageSums> => ({
      updateOne: {
        filter: { _id: sumsId(group.key), cur: { $lte: seq } },
        update: { $set: { cur: to }, $inc: incrementsOf(group) },
        upsert: true,
      },
    }),
  );
  await writeAll(collection, writes);
};

/** As UsageGroup.sums has them. */
const sumsOfRecord = (record: UsageSums): number[] => {
  const { n, in: bytesIn, out, ms, b } = record;
  const buckets = Array.from({ length: LATENCY_BUCKETS }, (_, bucket) => b[bucket] ?? 0);
  return [n, bytesIn, out, ms, ...WORTH_COUNTS.map((name) => record[name] ?? 0), ...buckets];
};

export const groupOfRecord = (record: UsageSums): UsageGroup => ({
  key: keyOfSums(record._id),
  lastAt: 0,
  sums: sumsOfRecord(record),
  worth: new Map(worthOfSums(record.w)),
});

export const portableSums = (record: UsageSums): PortableSums => {
  const { _id, w } = record;
  return {
    key: keyOfSums(_id),
    sums: sumsOfRecord(record),
    worth: worthOfSums(w)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([unit, sum]) => [unit, String(sum)]),
  };
};

export const worthOfSums = (w: UsageSums["w"] = {}): readonly (readonly [unit: string, sum: bigint])[] =>
  Object.entries(w).map(([unit, { n, f }]) => [unit, fromStoredSum({ whole: n, millionths: f })]);
