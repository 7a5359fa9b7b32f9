export { callbackKey, signCallback } from "./callback-key.ts";
export { cancelJob, changeJob } from "./change-job.ts";
export { FolderCalls } from "./folder-calls.ts";
export {
  cancelledJob,
  hasEnded,
  isJobId,
  JOB_STATES,
  type Job,
  type JobCallback,
  type JobState,
  keptUntil,
  newJobId,
  requeuedJob,
  type VersionedJob,
  wakeOfEnded,
  wasReceiving,
} from "./job.ts";
export { JobFolder, type JobPart } from "./job-folder.ts";
export { DEFAULT_KEEP_MS, type JobRules, parseCallbackOrigins, parseKeep, parseSize } from "./job-rules.ts";
export type { JobCursor, JobFilter, JobGroup, JobStore } from "./job-store.ts";
export { SealedReader, SealedWriter, sealedSize } from "./sealed-file.ts";
