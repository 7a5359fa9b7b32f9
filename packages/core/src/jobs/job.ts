import { randomBytes } from "node:crypto";

/**
 * `receiving`: its request is on its way. `queued`: it waits to be run. `running`: it is with the service. `done`: the
 * service has answered, whatever it said. `failed`: it has not, or not to its end. `cancelled`: by its client or an admin.
 * `interrupted`: the gateway that ran it ended, and the service's calls may not be made twice.
 */
export type JobState = "receiving" | "queued" | "running" | "done" | "failed" | "cancelled" | "interrupted";

export const JOB_STATES: readonly JobState[] = [
  "receiving",
  "queued",
  "running",
  "done",
  "failed",
  "cancelled",
  "interrupted",
];

/** A call that outlives its client's connection. Its request and its answer lie sealed on a disk; this is all the store has. */
export interface Job {
  /** `j_` and 160 bits at random: who knows it still needs its client's token. */
  readonly id: string;
  /** The client's id. */
  readonly client: string;
  /** Its name when it sent the request. */
  readonly clientName: string;
  readonly service: string;
  readonly state: JobState;
  readonly method: string;
  /** Without the query, 512 characters at most. */
  readonly path: string;
  readonly requestId: string;
  /** Names the folder that has its files, see JobFolder. */
  readonly place: string;
  /** The machine of that folder, for admins. */
  readonly hostname: string;
  /** When it came; as all times here by the store's steady time, milliseconds. */
  readonly at: number;
  /** When it began to run, the last time. */
  readonly startedAt?: number;
  readonly endedAt?: number;
  /** The gateway that receives or runs it. */
  readonly holder?: string;
  /** When somebody has to look at it: a holder that has not said so by then has ended, what is kept is due to go, or a call-back is due. */
  readonly wakeAt: number;
  /** How long its answer is kept, milliseconds. */
  readonly keepMs: number;
  /** How often it was begun. */
  readonly attempts: number;
  /** Content of its request and of its answer, bytes; while it runs, of as much as has come. */
  readonly requestBytes: number;
  readonly resultBytes: number;
  /** Of the answer; absent as long as there is none. */
  readonly status?: number;
  /** What there is of it on the disk, bytes: its files, as large as they are. */
  readonly storedBytes: number;
  /** Of them, its request; records of before have it not. */
  readonly requestStored?: number;
  /** Its quota of requests has counted it. */
  readonly claimed?: true;
  /** The admin who took it back, `user@host`; absent when its client did. */
  readonly cancelledBy?: string;
  /** Its usage is recorded. */
  readonly counted?: true;
  /** It came with the token of a quick start's trial. */
  readonly trial?: true;
  readonly callback?: JobCallback;
}

/** Whom its end is told. */
export interface JobCallback {
  /** Its URL, which may hold a secret, sealed for the purpose `job-callback`. */
  readonly sealedUrl: string;
  /** For admins. */
  readonly origin: string;
  /** The credential epoch in which it was asked for. */
  readonly epoch: number;
  readonly tries: number;
  /** When the next try is due; absent before the job's end, and when there is none any more. */
  readonly dueAt?: number;
  /** When it was taken. */
  readonly deliveredAt?: number;
  /** Of the last try that failed: a status, or what the system said. */
  readonly problem?: string;
}

export interface VersionedJob {
  readonly version: number;
  readonly job: Job;
}

/** 160 bits. */
export const newJobId = (): string => `j_${randomBytes(20).toString("hex")}`;

export const isJobId = (value: string): boolean => /^j_[0-9a-f]{40}$/.test(value);

export const hasEnded = ({ state }: Pick<Job, "state">): boolean =>
  state !== "receiving" && state !== "queued" && state !== "running";

/** Of one that was cancelled: whether its request had not come yet. Who receives it records what there was of it. */
export const wasReceiving = ({ holder, startedAt }: Pick<Job, "holder" | "startedAt">): boolean =>
  holder !== undefined && startedAt === undefined;

/** When what is kept of a job that has ended is due to go. */
export const keptUntil = ({ endedAt, at, keepMs }: Pick<Job, "endedAt" | "at" | "keepMs">): number =>
  (endedAt ?? at) + keepMs;

/** When a job that has ended is to be looked at again. */
export const wakeOfEnded = (job: Pick<Job, "endedAt" | "at" | "keepMs" | "callback">): number =>
  Math.min(keptUntil(job), job.callback?.dueAt ?? Number.POSITIVE_INFINITY);

/**
 * One that was not at its end, taken back by its client or an admin. Its usage is still to be recorded, and its files to
 * be removed: by the gateway that runs it, or, when none does, by whoever looks next.
 * @param by the admin
 */
export const cancelledJob = (job: Job, now: number, by?: string): Job => ({
  ...job,
  state: "cancelled",
  ...(by !== undefined && { cancelledBy: by }),
  endedAt: now,
  wakeAt: job.state === "running" ? Math.max(now, job.wakeAt) : now,
});

/** One that is to be run, again or for the first time: nothing is kept of an earlier try. */
export const requeuedJob = ({ holder: _gone, startedAt: _begun, ...job }: Job): Job => ({
  ...job,
  state: "queued",
  resultBytes: 0,
  storedBytes: job.requestStored ?? job.requestBytes,
  wakeAt: job.at + job.keepMs,
});
