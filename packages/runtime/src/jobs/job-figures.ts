import type { JobGroup } from "@aigw/core/jobs";

/** What there is of jobs, at all gateways. */
export interface JobFigures {
  readonly waiting: number;
  readonly running: number;
  /** And not gone yet. */
  readonly ended: number;
  readonly oldestWaitMs: number;
  readonly storedBytes: number;
}

/** @param now steady milliseconds */
export const jobFigures = (groups: readonly JobGroup[], now: number): JobFigures => {
  let [waiting, running, ended, storedBytes, oldestAt] = [0, 0, 0, 0, now];
  for (const group of groups) {
    storedBytes += group.storedBytes;
    if (group.state === "queued" || group.state === "receiving") {
      waiting += group.count;
      oldestAt = Math.min(oldestAt, group.oldestAt);
    } else if (group.state === "running") running += group.count;
    else ended += group.count;
  }
  return { waiting, running, ended, oldestWaitMs: now - oldestAt, storedBytes };
};
