import type { Collection, CreateIndexesOptions, Db, IndexSpecification } from "mongodb";
import type { Job } from "../../../jobs/job.ts";
import type { PermitWindow } from "../../../limits/permit-window.ts";
import type { QuotaRecord } from "../../../quotas/quota-record.ts";
import type { Outcome, UsageEvent } from "../../../usage/usage-event.ts";
import type { WorthCounts } from "../../../usage/worth.ts";
import type { Instance } from "../../store.ts";
import type { VersionedRecord } from "./versioned-records.ts";

/**
 * One batch of usage: recorded all or none, because it is one document. Numbered 1, 2, 3 …, and a number is given only
 * after the one before it is durable, so that a lower one never appears later. Pruning takes events out, and whole
 * batches but the newest: its number must not come a second time.
 */
export interface UsageBatch {
  readonly _id: number;
  /** `k`: the event's place in the batch as it was recorded. Absent once all were pruned. */
  readonly e?: readonly StoredEvent[];
}

export type StoredEvent = UsageEvent & { readonly k: number };

/**
 * Sums of the events that have a key in common; one collection each for hours, days and months, and for the hours and the
 * days of all clients. Counts of 0 are absent.
 */
export interface UsageSums extends Partial<WorthCounts> {
  /**
   * Period (hours or days since the epoch, months since the year 0, UTC), client, service, status, outcome; in this
   * order, which ranges rely on. Then model and plan, where there is one: `l` comes before `m`, so that records without a
   * model stand first.
   */
  readonly _id: {
    readonly p: number;
    readonly c: string;
    readonly s: string;
    readonly u: number;
    readonly o: Outcome;
    readonly m?: string;
    readonly l?: string;
  };
  /** The place in the log up to which this record has taken its events in. */
  readonly cur: number;
  readonly n: number;
  readonly in: number;
  readonly out: number;
  readonly ms: number;
  /** By latency bucket; empty ones are absent. */
  readonly b: Readonly<Record<string, number>>;
  /** By unit; absent without any: whole ones, and millionths that may come to more than a whole one. */
  readonly w?: Readonly<Record<string, { readonly n: number; readonly f: number }>>;
}

/** When a client was last recorded, milliseconds since the epoch. */
export interface LastSeen {
  readonly _id: string;
  readonly at: number;
  /** Of calls that were let through to a service. */
  readonly letInAt?: number;
}

/** How far the sums by hour and day have come: one document, `_id` "usage". */
export interface FoldState {
  readonly _id: "usage";
  /** Everything up to this place in the log is in the sums. */
  readonly seq: number;
  /** The slice from `seq` up to here is being taken in: by whoever claimed it, and by anybody once more. */
  readonly to: number | null;
  /** Events and hours before it may be gone, milliseconds since the epoch. */
  readonly pruned: number;
  /** No event behind this place was pruned. Absent: none was, or by a version that did not say so. */
  readonly gone?: number;
}

/**
 * How far the coarse sums have come, those of months and of the days of all clients: in the same collection, `_id`
 * "coarse". Absent until somebody who knows them has folded.
 */
export interface CoarseState {
  readonly _id: "coarse";
  /** Everything up to this place in the log is in the coarse sums, once they are made. */
  readonly seq: number;
  /** As FoldState has it. */
  readonly to: number | null;
  /** They are being made from the days: the next month, since the year 0. Absent once they are. */
  readonly next?: number;
  /** Places up to which months were made from the days: no slice goes past one. */
  readonly marks?: readonly number[];
}

export interface PermitRecord extends VersionedRecord {
  readonly w: PermitWindow;
}

/** What a client has used of its quotas; `_id` is the client's. */
export interface QuotaDocument extends VersionedRecord {
  readonly r: QuotaRecord;
}

/** Who has a service's slots, and who waits for one; `_id` is the service's. */
export interface QueueDocument extends VersionedRecord {
  /** A QueueRecord in JSON: a field for each client would be read and written one by one, and a thousand may wait. */
  readonly r: string;
}

export interface JobDocument {
  /** The job's id. */
  readonly _id: string;
  readonly v: number;
  readonly r: Job;
}

export interface IssueRecord {
  readonly _id: { readonly c: string; readonly k: string };
  readonly epoch: number;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

export interface InstanceRecord {
  readonly _id: string;
  /** Steady milliseconds. */
  readonly seenAt: number;
  readonly record: Instance;
}

export interface TrafficCollections {
  readonly usage: Collection<UsageBatch>;
  readonly hours: Collection<UsageSums>;
  readonly days: Collection<UsageSums>;
  readonly totals: Collection<UsageSums>;
  readonly dayTotals: Collection<UsageSums>;
  readonly months: Collection<UsageSums>;
  readonly last: Collection<LastSeen>;
  readonly state: Collection<FoldState>;
  /** In the same collection. */
  readonly coarse: Collection<CoarseState>;
  readonly permits: Collection<PermitRecord>;
  readonly quotas: Collection<QuotaDocument>;
  readonly queues: Collection<QueueDocument>;
  readonly jobs: Collection<JobDocument>;
  readonly issues: Collection<IssueRecord>;
  readonly instances: Collection<InstanceRecord>;
}

const NAMES: Readonly<Record<Exclude<keyof TrafficCollections, "coarse">, string>> = {
  usage: "usage",
  hours: "usage_hours",
  days: "usage_days",
  totals: "usage_totals",
  dayTotals: "usage_day_totals",
  months: "usage_months",
  last: "usage_last",
  state: "usage_state",
  permits: "permits",
  quotas: "quotas",
  queues: "queues",
  jobs: "jobs",
  issues: "token_issues",
  instances: "instances",
};

/**
 * What is acknowledged survives any member; what is read does too.
 * @param requestMs so long a write of what requests wait for may wait for the other members. They are away for a second
 *   after each election; what nobody waits for any more would keep the connections from those who only read
 */
export const trafficCollections = (db: Db, requestMs?: number): TrafficCollections => {
  const open = <T extends object>(name: string, wtimeoutMS?: number): Collection<T> =>
    db.collection<T>(name, {
      writeConcern: { w: "majority", journal: true, ...(wtimeoutMS !== undefined && { wtimeoutMS }) },
      readConcern: { level: "majority" },
      readPreference: "primary",
      ignoreUndefined: true,
    });
  return {
    usage: open(NAMES.usage),
    hours: open(NAMES.hours),
    days: open(NAMES.days),
    totals: open(NAMES.totals),
    dayTotals: open(NAMES.dayTotals),
    months: open(NAMES.months),
    last: open(NAMES.last),
    state: open(NAMES.state),
    coarse: open(NAMES.state),
    permits: open(NAMES.permits, requestMs),
    quotas: open(NAMES.quotas, requestMs),
    queues: open(NAMES.queues, requestMs),
    jobs: open(NAMES.jobs),
    issues: open(NAMES.issues),
    instances: open(NAMES.instances),
  };
};

export interface CollectionIndexes {
  readonly collection: string;
  readonly indexes: readonly {
    readonly name: string;
    readonly key: IndexSpecification;
    readonly options?: CreateIndexesOptions;
  }[];
}

/**
 * The collections of the traffic part and the indexes that they have beside `_id`. Every batch pays for those of
 * `usage`, one entry an event for each; permits have none by end, which every permit would pay for.
 */
export const TRAFFIC_INDEXES: readonly CollectionIndexes[] = [
  {
    collection: NAMES.usage,
    indexes: [
      // Sparse: batches without events must not meet in it.
      { name: "usage_by_event", key: { "e.id": 1 }, options: { unique: true, sparse: true } },
      { name: "usage_by_time", key: { "e.at": 1 } },
    ],
  },
  { collection: NAMES.hours, indexes: [] },
  { collection: NAMES.days, indexes: [{ name: "usage_days_by_client", key: { "_id.c": 1, "_id.p": 1 } }] },
  { collection: NAMES.totals, indexes: [] },
  { collection: NAMES.dayTotals, indexes: [] },
  { collection: NAMES.months, indexes: [] },
  { collection: NAMES.last, indexes: [] },
  { collection: NAMES.state, indexes: [] },
  { collection: NAMES.permits, indexes: [] },
  { collection: NAMES.quotas, indexes: [] },
  { collection: NAMES.queues, indexes: [] },
  {
    collection: NAMES.jobs,
    indexes: [
      { name: "jobs_by_state", key: { "r.state": 1, "r.service": 1, "r.client": 1, "r.at": 1 } },
      { name: "jobs_by_client", key: { "r.client": 1, "r.at": 1 } },
      { name: "jobs_by_time", key: { "r.at": 1 } },
      { name: "jobs_by_wake", key: { "r.wakeAt": 1 } },
    ],
  },
  { collection: NAMES.issues, indexes: [{ name: "token_issues_by_end", key: { expiresAt: 1 } }] },
  { collection: NAMES.instances, indexes: [] },
];
