import { AigwError } from "../errors.ts";
import { cancelledJob, hasEnded, type Job, type VersionedJob } from "./job.ts";
import type { JobStore } from "./job-store.ts";

/** How often a record is read and written anew when somebody else is first. */
const MAX_TRIES = 20;

/**
 * @param change gets the record as it is, as often as somebody else is first; undefined leaves it
 * @returns the record as it is from then on; undefined when it was left, or is gone
 * @throws AigwError `changed_meanwhile` when somebody else is first every time; what the store throws
 */
export const changeJob = async (
  store: Pick<JobStore, "job" | "setJob">,
  id: string,
  change: (job: Job) => Job | undefined,
): Promise<VersionedJob | undefined> => {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const found = await store.job(id);
    const changed = found && change(found.job);
    if (found === undefined || changed === undefined) return undefined;
    if (await store.setJob(found.version, changed)) return { version: found.version + 1, job: changed };
  }
  throw new AigwError("changed_meanwhile", `Job ${id} is written by others all the time. Try again.`);
};

/**
 * Takes one back that is not at its end, see {@link cancelledJob}.
 * @param by the admin; absent: its client
 * @returns the record as it is from then on; undefined when it has ended by itself, or is gone
 * @throws as {@link changeJob}
 */
export const cancelJob = (
  store: Pick<JobStore, "job" | "setJob">,
  id: string,
  now: () => number,
  by?: string,
): Promise<VersionedJob | undefined> =>
  changeJob(store, id, (job) => (hasEnded(job) ? undefined : cancelledJob(job, now(), by)));
