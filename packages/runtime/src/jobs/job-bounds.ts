import type { TrafficStore } from "@aigw/core";
import { effectiveSetting } from "@aigw/core/config";
import { type Job, type JobGroup, parseSize } from "@aigw/core/jobs";
import { inTime } from "@aigw/core/store";
import type { ControlFollower } from "../follow/control-follower.ts";
import { JOB_PATIENCE_MS } from "./job-records.ts";

/** All records that a store may have: they are small, and lists of them are read. */
const MOST_RECORDS = 100_000;
/** How old the sum over all clients may be. */
const TOTAL_MS = 1_000;

/** How much of a request or an answer may come before it is looked whether there is still room. */
export const LOOK_BYTES: number = 16 * 1024 * 1024;

/** Why a job finds no room. */
export type NoRoom = "count" | "client_size" | "size";

export interface JobBoundsDeps {
  readonly traffic: TrafficStore;
  readonly follower: Pick<ControlFollower, "settings">;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** How much there may be of jobs: of each client, and in all. */
export class JobBounds {
  readonly #deps: JobBoundsDeps;
  #total = { count: 0, bytes: 0, at: Number.NEGATIVE_INFINITY };

  constructor(deps: JobBoundsDeps) {
    this.#deps = deps;
  }

  get perClient(): number {
    return Number(this.#setting("jobs-per-client"));
  }

  /**
   * Whether there is more than may be, with this job's record in the store: whoever puts a record there looks then, and
   * takes it away again, so that of two at once no more stay than may.
   * @param added what this look is about, of which a sum that is not read anew does not know
   */
  async exceeded(
    { client }: Pick<Job, "client">,
    added: { readonly jobs: 0 | 1; readonly bytes: number },
  ): Promise<NoRoom | undefined> {
    const own = sumOf(await inTime(this.#deps.traffic.jobGroups({ client }), JOB_PATIENCE_MS));
    if (own.bytes > parseSize("size", this.#setting("jobs-client-size"))) return "client_size";
    const now = performance.now();
    if (now - this.#total.at > TOTAL_MS) {
      const all = sumOf(await inTime(this.#deps.traffic.jobGroups({}), JOB_PATIENCE_MS));
      this.#total = { ...all, at: now };
    } else {
      const { count, bytes, at } = this.#total;
      this.#total = { count: count + added.jobs, bytes: bytes + added.bytes, at };
    }
    const isTooMuch =
      this.#total.count > MOST_RECORDS || this.#total.bytes > parseSize("size", this.#setting("jobs-size"));
    if (isTooMuch) return "size";
    return own.count > this.perClient ? "count" : undefined;
  }

  #setting(key: "jobs-per-client" | "jobs-client-size" | "jobs-size"): string {
    return effectiveSetting(key, this.#deps.follower.settings, this.#deps.env).value ?? "";
  }
}

const sumOf = (groups: readonly JobGroup[]): { count: number; bytes: number } => {
  let count = 0;
  let bytes = 0;
  for (const group of groups) {
    count += group.count;
    bytes += group.storedBytes;
  }
  return { count, bytes };
};
