import type { MaybePromise } from "../store/store.ts";
import type { Job, JobState, VersionedJob } from "./job.ts";

/** Every given field must match. */
export interface JobFilter {
  /** The client's id. */
  readonly client?: string;
  readonly service?: string;
  readonly state?: JobState;
  readonly place?: string;
}

/** Where a page of {@link JobStore.jobs} goes on: behind this job. */
export type JobCursor = Pick<Job, "at" | "id">;

/** Jobs of one client, service and state. */
export interface JobGroup {
  readonly client: string;
  readonly service: string;
  readonly state: JobState;
  readonly count: number;
  /** On the disk. */
  readonly storedBytes: number;
  /** When the first of them came. */
  readonly oldestAt: number;
}

/** The records of jobs: one a job, each written by compare-and-set, so that of all who want to run one exactly one does. */
export interface JobStore {
  job(id: string): MaybePromise<VersionedJob | undefined>;
  /**
   * Compare-and-set; `expectedVersion` 0 inserts, and the first version is 1. An id never comes a second time.
   * @returns false when somebody else was first, or it is gone; nothing was written
   */
  setJob(expectedVersion: number, job: Job): MaybePromise<boolean>;
  /** @returns false as {@link setJob} */
  removeJob(expectedVersion: number, id: string): MaybePromise<boolean>;
  /** At most `limit`, the newest first, or the other way round. */
  jobs(
    filter: JobFilter,
    page: { readonly limit: number; readonly after?: JobCursor | undefined; readonly oldestFirst?: boolean },
  ): MaybePromise<readonly VersionedJob[]>;
  /**
   * Those to be looked at by `now` (steady), at most `limit`, the longest due first.
   * @param from leaves out those that were due earlier than this `wakeAt`
   */
  dueJobs(now: number, limit: number, from?: number): MaybePromise<readonly VersionedJob[]>;
  /** How many there are that are older than this one, `most` at most. Costs an index entry for each. */
  countJobsBefore(filter: JobFilter, before: JobCursor, most: number): MaybePromise<number>;
  /** Costs an index entry for each job that matches. */
  jobGroups(filter: JobFilter): MaybePromise<readonly JobGroup[]>;
}
