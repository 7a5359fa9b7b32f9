import type { Collection } from "mongodb";
import { MILLION } from "../../../meters/unit.ts";
import { LATENCY_BOUNDS } from "../../../usage/latency-buckets.ts";
import { DAY_MS, HOUR_MS } from "../../../usage/report-plan.ts";
import type { CountedCalls, UsageKey, UsageReportQuery } from "../../../usage/usage-report.ts";
import { COST, fromStoredSum, type WorthCounts } from "../../../usage/worth.ts";
import type { UsageBatch, UsageSums } from "./collections.ts";
import { eventConditions, unwound, withMatch } from "./usage-place.ts";

/** What a query has counted for a row and an outcome. */
export interface Counted extends CountedCalls {
  readonly key: readonly (string | number)[];
  /** By latency bucket. */
  readonly latencies: Iterable<readonly [bucket: number, requests: number]>;
  readonly worth: Iterable<readonly [unit: string, sum: bigint]>;
}

const hourOf = { $floor: { $divide: ["$e.at", HOUR_MS] } };
const dayOf = { $multiply: [{ $floor: { $divide: ["$e.at", DAY_MS] } }, DAY_MS] };
const model = { $ifNull: ["$e.model", ""] };
const plan = { $ifNull: ["$e.plan", ""] };

/** The keys of a report by expressions on an unwound event. */
const EVENT_KEYS: Readonly<Record<UsageKey, unknown>> = {
  client: "$e.client",
  service: "$e.service",
  model,
  plan,
  status: "$e.status",
  hour: { $multiply: [hourOf, HOUR_MS] },
  day: dayOf,
  week: dayOf,
  month: dayOf,
};

/** The key of the hour's record that an unwound event goes into. */
export const SUMS_ID: Readonly<Record<string, unknown>> = {
  ...{ p: hourOf, c: "$e.client", s: "$e.service", u: "$e.status", o: "$e.outcome" },
  ...{ m: model, l: plan },
};

/** The bucket as bucketOf() finds it, by halves: a comparison with each bound would take most of the query's time. */
const bucketCase = (low: number, high: number): unknown => {
  if (low === high) return low;
  const middle = (low + high) >>> 1;
  return {
    $cond: [{ $gte: ["$e.latencyMs", LATENCY_BOUNDS[middle]] }, bucketCase(middle + 1, high), bucketCase(low, middle)],
  };
};

const BUCKET = bucketCase(0, LATENCY_BOUNDS.length);

/** What calls of one kind came to; or in a unit alone, without the calls themselves. */
export interface EventsOfGroup extends Partial<WorthCounts> {
  readonly _id: {
    readonly by: readonly (string | number)[];
    readonly o: CountedCalls["outcome"];
    readonly bucket?: number;
    readonly unit?: string;
    /** See readUnfolded(). */
    readonly id?: UsageSums["_id"];
    readonly slice?: number;
  };
  readonly n?: number;
  readonly in?: number;
  readonly out?: number;
  readonly ms?: number;
  /** The sum of the unit, or of the cost. */
  readonly whole: number;
  readonly millionths: number;
}

export interface WhichEvents {
  readonly batches: Record<string, unknown>;
  readonly from: number;
  readonly until: number;
  /** An expression. */
  readonly place: Record<string, unknown>;
  /** What else they are grouped by. */
  readonly apart?: Record<string, unknown>;
}

const COUNT = { $ifNull: ["$e.count", 1] };
const countIf = (condition: unknown): unknown => ({ $sum: { $cond: [condition, COUNT, 0] } });

/** Summed up apart, as StoredSum has them. The rest goes first: the quotient of a large value would be rounded up. */
const storedSum = (value: unknown): Record<string, unknown> => {
  const millionths = { $mod: [value, MILLION] };
  return {
    whole: { $sum: { $divide: [{ $subtract: [value, millionths] }, MILLION] } },
    millionths: { $sum: millionths },
  };
};

export const groupEvents = async (
  usage: Collection<UsageBatch>,
  { by, filter }: UsageReportQuery,
  { batches, from, until, place, apart }: WhichEvents,
): Promise<readonly EventsOfGroup[]> => {
  const conditions = { ...eventConditions(filter), at: { $gte: from, $lt: until } };
  const key = { by: by.map((name) => EVENT_KEYS[name]), o: "$e.outcome", ...apart };
  const grouped = (which: Record<string, unknown>, ...stages: Record<string, unknown>[]): Promise<EventsOfGroup[]> => {
    const wanted = { ...conditions, ...which };
    return usage
      .aggregate<EventsOfGroup>(
        [
          { $match: { ...batches, ...withMatch(wanted) } },
          { $unwind: "$e" },
          { $match: { ...unwound(wanted), $expr: place } },
          ...stages,
        ],
        { allowDiskUse: true },
      )
      .toArray();
  };
  const calls = await grouped(
    {},
    {
      $group: {
        _id: { ...key, bucket: BUCKET },
        n: { $sum: COUNT },
        in: { $sum: "$e.bytesIn" },
        out: { $sum: "$e.bytesOut" },
        ms: { $sum: { $multiply: ["$e.latencyMs", COUNT] } },
        priced: countIf({ $gte: ["$e.cost", 0] }),
        unpriced: countIf({ $eq: [{ $type: "$e.cost" }, "null"] }),
        metered: countIf({ $ne: [{ $type: "$e.metered" }, "missing"] }),
        unread: countIf({ $eq: ["$e.metered", "no"] }),
        estimated: countIf({ $eq: ["$e.metered", "estimated"] }),
        ...storedSum({ $ifNull: ["$e.cost", 0] }),
      },
    },
  );
  if (!calls.some(({ metered = 0 }) => metered > 0)) return calls;
  const units = await grouped(
    { units: { $exists: true } },
    { $set: { unit: { $objectToArray: "$e.units" } } },
    { $unwind: "$unit" },
    { $group: { _id: { ...key, unit: "$unit.k" }, ...storedSum("$unit.v") } },
  );
  return [...calls, ...units];
};

export const countedEvents = (group: EventsOfGroup): Counted => {
  const { _id, n = 0, in: bytesIn = 0, out: bytesOut = 0, ms: latencyMs = 0 } = group;
  const { priced = 0, unpriced = 0, metered = 0, unread = 0, estimated = 0 } = group;
  return {
    key: _id.by,
    outcome: _id.o,
    ...{ requests: n, bytesIn, bytesOut, latencyMs },
    ...{ priced, unpriced, metered, unread, estimated },
    latencies: _id.bucket === undefined ? [] : [[_id.bucket, n]],
    worth: [[_id.unit ?? COST, fromStoredSum(group)]],
  };
};
