import type { Client } from "@aigw/core/clients";
import type { Job } from "@aigw/core/jobs";
import { recordedAs } from "../gate/api-call.ts";
import type { CallMeter, Metered } from "../metering/call-meter.ts";
import { jobClaims } from "./job-call.ts";

export type JobOutcome = "incomplete" | "aborted" | "timeout" | "revoked";

export interface JobMoment {
  /** As it is; undefined when it is gone. */
  readonly client: Client | undefined;
  /** Milliseconds: since the epoch, monotonic, and steady. */
  readonly wallNow: number;
  readonly monotonicNow: number;
  readonly now: number;
}

/** Records the usage of a job whose call has left none: it never came so far, or its gateway has ended. */
export const recordJob = (
  meter: CallMeter,
  job: Job,
  outcome: JobOutcome,
  { client, wallNow, monotonicNow, now }: JobMoment,
): void => {
  const { method, path, service, requestId, startedAt, requestBytes, resultBytes } = job;
  const ranMs = startedAt === undefined ? 0 : Math.max(0, now - startedAt);
  const metered: Metered = {
    at: wallNow - ranMs,
    start: monotonicNow - ranMs,
    method,
    path,
    service,
    requestId,
    plan: client?.plan,
  };
  const name = client?.name ?? job.clientName;
  const claims = jobClaims({ id: job.client, epoch: 0 }, job.trial === true);
  meter.end(metered, recordedAs(name, claims), { outcome, status: 0, bytesIn: requestBytes, bytesOut: resultBytes });
};
