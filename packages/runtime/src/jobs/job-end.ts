import { setTimeout as delay } from "node:timers/promises";
import type { MaybePromise } from "@aigw/core";
import type { Client } from "@aigw/core/clients";
import { type Job, type JobFolder, requeuedJob } from "@aigw/core/jobs";
import type { CallResult } from "../proxy/call.ts";
import type { JobRecords } from "./job-records.ts";
import type { JobRun, Made, Stop } from "./job-run.ts";

export interface JobEndDeps {
  readonly records: JobRecords;
  readonly folder: () => MaybePromise<JobFolder>;
  /** The client, when it may still have jobs of that service. */
  readonly owner: (job: Pick<Job, "client" | "service">) => Client | undefined;
  /** Whether calls of this service may be made again. */
  readonly mayRepeat: (service: string) => boolean;
  /** The gateway is about to end. */
  readonly isClosing: () => boolean;
  /** Completes the record of a job that has ended. */
  readonly ended: (job: Job) => Job;
  /** Records the usage of a job whose call has left none. */
  readonly count: (job: Job, outcome: "incomplete" | "revoked") => void;
  /** A service has no room even for one more that waits, or what waits for it cannot be read at this moment. */
  readonly onBusy: (service: string) => void;
  /** A job has ended here. */
  readonly onEnded: (job: Job) => void;
  readonly onFault: (error: unknown) => void;
}

const RETRY_MS = 500;
/** A gateway that ends does not wait for its store for longer. */
const LAST_TRIES = 4;

/** What becomes of a job whose call was made: an end of its own, or another try. */
export class JobEnd {
  readonly #deps: JobEndDeps;

  constructor(deps: JobEndDeps) {
    this.#deps = deps;
  }

  /**
   * Writes what came of a run, records it, and leaves on the disk what is kept. Files go behind a record that is ours: a
   * gateway that stood still does not know whose they are by then. Of one that is put back, the next run removes them.
   */
  async end(run: JobRun, { call, facts, isWhole, why }: Made): Promise<void> {
    const { records, folder, onEnded } = this.#deps;
    const { held } = run;
    const result = call?.result;
    if (why === "lost") {
      call?.releaseClaim();
      return;
    }
    if (why === "closing" && (result === undefined || this.#deps.mayRepeat(held.job.service))) {
      call?.cancelClaim();
      await this.#write(run, requeuedJob);
      return;
    }
    // Its service has more to do than may wait for it, or the gateway has no time left for it.
    const isBusy = why === undefined && call?.isSent === false && facts?.status === 503;
    const hasBegun = call?.isSent === true && !this.#deps.mayRepeat(held.job.service);
    if (isBusy || (why === "away" && !hasBegun)) {
      this.#deps.onBusy(held.job.service);
      call?.cancelClaim();
      await this.#write(run, (job) => ({ ...requeuedJob(job), attempts: job.attempts - 1 }));
      return;
    }
    const keeps = isWhole && facts !== undefined && why === undefined && result?.outcome !== "revoked";
    const state = keeps ? stateOf(result) : stateWithout(why);
    const resultBytes = keeps ? run.answerBytes : 0;
    const ended = (job: Job): Job => {
      const { holder: _gone, wakeAt: _was, ...rest } = job;
      return this.#deps.ended({
        ...rest,
        wakeAt: 0,
        state,
        endedAt: records.now(),
        resultBytes,
        storedBytes: keeps ? run.answerStored : 0,
        counted: true,
        ...(keeps && { status: facts.status }),
      });
    };
    const isOurs = await this.#write(run, ended);
    if (isOurs) {
      this.#count(held.job, { call, facts }, state === "interrupted" ? "incomplete" : undefined);
      await (await folder()).remove(held.job, keeps ? "request" : undefined);
      onEnded(held.job);
      return;
    }
    // Somebody was faster: cancelled it, say, or took it away with its client.
    if (await this.#settled(held.job.id)) {
      this.#count(held.job, { call, facts }, this.#deps.owner(held.job) === undefined ? "revoked" : undefined);
      await (await folder()).remove(held.job);
    } else call?.releaseClaim();
  }

  /** Until the store says how it is: an end that is not stored would be another beginning. */
  async #write(run: JobRun, change: (job: Job) => Job): Promise<boolean> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await run.held.write(change);
      } catch (error) {
        if (tries === 0) this.#deps.onFault(error);
        if (this.#deps.isClosing() && tries >= LAST_TRIES) return false;
        await delay(RETRY_MS);
      }
    }
  }

  #count(job: Job, { call, facts }: Pick<Made, "call" | "facts">, outcome: CallResult["outcome"] | undefined): void {
    if (call?.result !== undefined) call.count(outcome);
    // One that was refused is recorded by who refused it; one that never came so far is not.
    else if (facts === undefined) this.#deps.count(job, outcome === "revoked" ? outcome : "incomplete");
  }

  /**
   * Takes over the count of one that was ended by somebody else.
   * @returns whether it is ours to count; else its files may be another gateway's by now
   */
  async #settled(id: string): Promise<boolean> {
    const { records, ended } = this.#deps;
    try {
      let isGone = true;
      const set = await records.change(id, (job) => {
        isGone = false;
        return job.state === "cancelled" && job.counted === undefined
          ? ended({ ...job, counted: true, storedBytes: 0, resultBytes: 0 })
          : undefined;
      });
      if (set !== undefined) this.#deps.onEnded(set.job);
      return set !== undefined || isGone;
    } catch (error) {
      this.#deps.onFault(error);
      return false;
    }
  }
}

/** The service's answer is a job's, whatever it says; the gateway's own in its place is a failure. */
const stateOf = (result: CallResult | undefined): Job["state"] =>
  result !== undefined && result.fault === undefined && (result.outcome === "ok" || result.outcome === "upstream_error")
    ? "done"
    : "failed";

const stateWithout = (why: Stop | undefined): Job["state"] => {
  if (why === "cancelled") return "cancelled";
  return why === "closing" ? "interrupted" : "failed";
};
