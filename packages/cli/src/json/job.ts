import { hasEnded, type Job, type JobState, keptUntil } from "@aigw/core/jobs";
import { rfc3339 } from "../terminal/output/time.ts";

export interface JobJson {
  readonly id: string;
  /** The client's name when it sent the request. */
  readonly client: string;
  readonly service: string;
  readonly state: JobState;
  readonly method: string;
  readonly path: string;
  readonly requestId: string;
  /** RFC 3339, as all times here; null when it has not come to that. */
  readonly submittedAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** Until when its answer is kept. */
  readonly keptUntil: string | null;
  /** The admin, `user@host`; null too when its client did. */
  readonly cancelledBy: string | null;
  readonly attempts: number;
  readonly requestBytes: number;
  readonly resultBytes: number;
  /** On the disk. */
  readonly storedBytes: number;
  /** Of the answer. */
  readonly status: number | null;
  /** The gateway that has it, and the machine with its files. */
  readonly gateway: string | null;
  readonly hostname: string;
  readonly callback: {
    readonly origin: string;
    readonly tries: number;
    readonly nextAt: string | null;
    readonly deliveredAt: string | null;
    readonly problem: string | null;
  } | null;
}

const time = (at: number | undefined): string | null => (at === undefined ? null : rfc3339(at));

export const jobJson = (job: Job): JobJson => ({
  id: job.id,
  client: job.clientName,
  service: job.service,
  state: job.state,
  method: job.method,
  path: job.path,
  requestId: job.requestId,
  submittedAt: rfc3339(job.at),
  startedAt: time(job.startedAt),
  endedAt: time(job.endedAt),
  keptUntil: hasEnded(job) ? rfc3339(keptUntil(job)) : null,
  cancelledBy: job.cancelledBy ?? null,
  attempts: job.attempts,
  requestBytes: job.requestBytes,
  resultBytes: job.resultBytes,
  storedBytes: job.storedBytes,
  status: job.status ?? null,
  gateway: job.holder ?? null,
  hostname: job.hostname,
  callback:
    job.callback === undefined
      ? null
      : {
          origin: job.callback.origin,
          tries: job.callback.tries,
          nextAt: time(job.callback.dueAt),
          deliveredAt: time(job.callback.deliveredAt),
          problem: job.callback.problem ?? null,
        },
});
