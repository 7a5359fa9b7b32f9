import { rfc3339 } from "@aigw/core/date-time";
import { hasEnded, type Job, keptUntil } from "@aigw/core/jobs";

/** What jobs are under. */
export const JOBS = "/jobs/";

/** Whether there is an answer to be had. */
export const hasAnswer = (job: Job): boolean => hasEnded(job) && job.status !== undefined;

const time = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : rfc3339(ms));

/** What a client sees of its job. @param ahead how many are begun before it, where that is known */
export const jobFacts = (job: Job, ahead: number | undefined): Readonly<Record<string, unknown>> => {
  const { id, state, service, method, path, requestId, at, startedAt, endedAt, callback, status } = job;
  return {
    id,
    state,
    service,
    method,
    path,
    request_id: requestId,
    submitted_at: time(at),
    started_at: time(startedAt),
    ended_at: time(endedAt),
    kept_until: time(endedAt === undefined ? undefined : keptUntil(job)),
    ahead: state === "queued" ? ahead : undefined,
    request_bytes: job.requestBytes,
    result_bytes: job.resultBytes,
    status,
    result: hasAnswer(job) ? `${JOBS}${id}/result` : undefined,
    callback: callback && {
      origin: callback.origin,
      tries: callback.tries,
      delivered_at: time(callback.deliveredAt),
      problem: callback.deliveredAt === undefined ? callback.problem : undefined,
    },
  };
};

export const jobText = (job: Job, ahead: number | undefined): string => JSON.stringify(jobFacts(job, ahead));

/** Of the answer to the request that became one (RFC 7240 §4.1). */
export const jobTakenFields = ({ id }: Job): readonly string[] => [
  "Location",
  `${JOBS}${id}`,
  "Preference-Applied",
  "respond-async",
  "Cache-Control",
  "no-store",
];
