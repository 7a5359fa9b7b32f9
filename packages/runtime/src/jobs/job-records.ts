import type { TrafficStore } from "@aigw/core";
import { cancelJob, changeJob, type Job, type JobStore, type VersionedJob } from "@aigw/core/jobs";
import { inTime, WORK_PATIENCE_MS } from "@aigw/core/store";

/** A holder that has not renewed it for so long has ended, milliseconds. */
export const LEASE_MS = 10_000;

/**
 * How long a request about jobs waits for any one answer of the store, milliseconds: longer than a call does, since a record
 * that is to survive a server is written to a majority of them.
 */
export const JOB_PATIENCE_MS = 2_000;

/** Records of jobs, each call bounded. Every method throws the store's faults. */
export class JobRecords {
  readonly traffic: TrafficStore;

  readonly #patienceMs: number;
  readonly #bounded: Pick<JobStore, "job" | "setJob"> = {
    job: (id) => this.get(id),
    setJob: (version, job) => inTime(this.traffic.setJob(version, job), this.#patienceMs),
  };

  /** @param patienceMs how long any one answer of the store is waited for */
  constructor(traffic: TrafficStore, patienceMs: number = WORK_PATIENCE_MS) {
    this.traffic = traffic;
    this.#patienceMs = patienceMs;
  }

  now(): number {
    return this.traffic.steadyNow();
  }

  async get(id: string): Promise<VersionedJob | undefined> {
    return inTime(this.traffic.job(id), this.#patienceMs);
  }

  /** @returns the record as it is from then on; undefined when somebody else was first */
  async set({ version }: Pick<VersionedJob, "version">, job: Job): Promise<VersionedJob | undefined> {
    const isSet = await this.#bounded.setJob(version, job);
    return isSet ? { version: version + 1, job } : undefined;
  }

  async remove({ version, job }: VersionedJob): Promise<boolean> {
    return inTime(this.traffic.removeJob(version, job.id), this.#patienceMs);
  }

  /**
   * As {@link changeJob}.
   * @param change gets the record as it is, as often as somebody else is first; undefined leaves it
   */
  async change(id: string, change: (job: Job) => Job | undefined): Promise<VersionedJob | undefined> {
    return changeJob(this.#bounded, id, change);
  }

  /** As {@link cancelJob}. */
  async cancel(id: string): Promise<VersionedJob | undefined> {
    return cancelJob(this.#bounded, id, () => this.now());
  }
}
