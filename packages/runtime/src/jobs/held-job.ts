import type { Job, VersionedJob } from "@aigw/core/jobs";
import type { JobRecords } from "./job-records.ts";

/** A job that this gateway holds, and its record as this gateway wrote it last: one write after the other. */
export class HeldJob {
  readonly #records: JobRecords;
  #known: VersionedJob;
  #turn: Promise<unknown> = Promise.resolve();
  /** What was to be written when no answer came. */
  #unsure: Job | undefined;
  /** Somebody else has written the record, or removed it. */
  isLost = false;

  constructor(records: JobRecords, known: VersionedJob) {
    this.#records = records;
    this.#known = known;
  }

  get job(): Job {
    return this.#known.job;
  }

  /**
   * @param change of the record as it is then
   * @returns false when it is lost
   * @throws the store's faults; whether it was written is then not known
   */
  write(change: (job: Job) => Job): Promise<boolean> {
    const written = this.#turn.then(() => this.#write(change));
    this.#turn = written.catch(() => undefined);
    return written;
  }

  async #write(change: (job: Job) => Job): Promise<boolean> {
    if (this.isLost) return false;
    const wanted = change(this.job);
    let set: VersionedJob | undefined;
    try {
      set = await this.#records.set(this.#known, wanted);
    } catch (error) {
      // A write whose answer was lost may be in the store all the same: the next one finds out.
      this.#unsure = wanted;
      throw error;
    }
    if (set === undefined && this.#unsure !== undefined) set = await this.#after(this.#unsure, wanted);
    this.#unsure = undefined;
    if (set === undefined) this.isLost = true;
    else this.#known = set;
    return set !== undefined;
  }

  /** Writes behind our own earlier write, if it is that which stands there. */
  async #after(unsure: Job, wanted: Job): Promise<VersionedJob | undefined> {
    const found = await this.#records.get(wanted.id);
    if (found === undefined || JSON.stringify(found.job) !== JSON.stringify(unsure)) return undefined;
    return this.#records.set(found, wanted);
  }
}
