import { once } from "node:events";
import type { Service } from "@aigw/core";
import type { VersionedJob } from "@aigw/core/jobs";
import { HeldJob } from "./held-job.ts";
import { InnerServer } from "./inner-server.ts";
import type { JobBounds } from "./job-bounds.ts";
import { JobEnd, type JobEndDeps } from "./job-end.ts";
import { JobQueue } from "./job-queue.ts";
import { LEASE_MS } from "./job-records.ts";
import { JobRun, type JobRunDeps, type Stop } from "./job-run.ts";

export interface JobRunnerDeps
  extends Omit<JobRunDeps, "inner" | "progress">,
    Omit<JobEndDeps, "isClosing" | "onBusy"> {
  readonly bounds: JobBounds;
  readonly instanceId: string;
  /** The service, when its jobs may run now. */
  readonly runnable: (service: string) => Service | undefined;
}

/** More in one process than a machine has services for. */
const MOST_RUNNING = 256;
/** A service that is busy with other calls is left alone for so long. */
const BUSY_MS = 1_000;

/**
 * Runs jobs that wait: of each service no more at once, over all gateways, than it has slots, and its clients in turn.
 * What waits takes no memory here.
 */
export class JobRunner {
  readonly #deps: JobRunnerDeps;
  readonly #inner = new InnerServer();
  readonly #queue: JobQueue;
  readonly #running = new Map<string, { readonly run: JobRun; readonly done: Promise<void> }>();
  readonly #end: JobEnd;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #closing = false;

  constructor(deps: JobRunnerDeps) {
    this.#deps = deps;
    this.#queue = new JobQueue(deps.records, deps.runnable, deps.owner);
    this.#end = new JobEnd({
      ...deps,
      isClosing: () => this.#closing,
      onBusy: (service) => this.#queue.leaveFor(service, BUSY_MS),
    });
  }

  get running(): number {
    return this.#running.size;
  }

  isRunning(id: string): boolean {
    return this.#running.has(id);
  }

  get queue(): JobQueue {
    return this.#queue;
  }

  /** Begins what may begin. */
  look(): Promise<void> {
    if (this.#looking !== undefined) this.#lookAgain = true;
    this.#looking ??= this.#look()
      .catch(this.#deps.onFault)
      .finally(() => {
        this.#looking = undefined;
        if (!this.#lookAgain) return;
        this.#lookAgain = false;
        void this.look();
      });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { place } = await this.#deps.folder();
    while (!this.#closing && this.#running.size < MOST_RUNNING) {
      const next = await this.#queue.claim(place, this.#deps.instanceId, this.#running.keys());
      if (next === undefined) return;
      this.#start(next);
    }
  }

  #start(claimed: VersionedJob): void {
    const { records, onFault } = this.#deps;
    const run = new JobRun(new HeldJob(records, claimed), {
      ...this.#deps,
      inner: this.#inner,
      progress: this.#progress,
    });
    const done = this.#make(run)
      .catch(onFault)
      .finally(() => {
        this.#running.delete(claimed.job.id);
        void this.look();
      });
    this.#running.set(claimed.job.id, { run, done });
  }

  async #make(run: JobRun): Promise<void> {
    const made = await run.make();
    // Cut with all other calls under way.
    const isCut = this.#closing && made.call?.result?.outcome === "incomplete" && made.call.result.fault === undefined;
    await this.#end.end(run, isCut && made.why === undefined ? { ...made, why: "closing" } : made);
  }

  /** Says that they still run, and how far they have come; ends those that somebody else has ended. */
  async renew(): Promise<void> {
    const { records, owner } = this.#deps;
    for (const { run } of this.#running.values()) {
      const { held, answerBytes } = run;
      if (owner(held.job) === undefined) run.stop("revoked");
      const left = held.job.wakeAt - records.now();
      // Also looks whether it was cancelled, which is to be seen within a second.
      if (answerBytes === run.renewedBytes && left > LEASE_MS * (3 / 4)) {
        const found = await records.get(held.job.id);
        if (found?.job.state === "running" && found.job.holder === this.#deps.instanceId) continue;
        // Its end is written here, at this moment.
        if (found !== undefined && held.job.state !== "running") continue;
        run.stop(whyLost(found));
        continue;
      }
      await this.#progress(run);
    }
  }

  readonly #progress = async (run: JobRun): Promise<void> => {
    const { records, bounds } = this.#deps;
    const { held, answerBytes } = run;
    const more = answerBytes - run.renewedBytes;
    run.renewedBytes = answerBytes;
    const isOurs = await held.write((job) =>
      job.state === "running"
        ? {
            ...job,
            resultBytes: answerBytes,
            storedBytes: (job.requestStored ?? job.requestBytes) + run.answerStored,
            wakeAt: records.now() + LEASE_MS,
          }
        : job,
    );
    if (!isOurs) run.stop(whyLost(await records.get(held.job.id)));
    else if (answerBytes > 0) {
      const why = await bounds.exceeded(held.job, { jobs: 0, bytes: more });
      // A number that an admin has lowered since is no reason to lose what runs.
      if (why !== undefined && why !== "count") run.stop("full");
    }
  };

  /** A client's or an admin's wish, seen here first. */
  cancel(id: string): void {
    this.#running.get(id)?.run.stop("cancelled");
  }

  /** Those whose clients have lost their right. */
  cutRevoked(): void {
    for (const { run } of this.#running.values()) {
      if (this.#deps.owner(run.held.job) === undefined) run.stop("revoked");
    }
  }

  /** Those under way get so long to end. */
  async close(drainMs: number): Promise<void> {
    this.#closing = true;
    await this.#looking;
    const all = Promise.all([...this.#running.values()].map(({ done }) => done));
    const late = AbortSignal.timeout(Math.max(1, drainMs));
    await Promise.race([all, once(late, "abort")]);
    for (const { run } of this.#running.values()) run.stop("closing");
    await all;
  }
}

/** What became of a job that is not ours any more: when it is somebody else's, its files are, too. */
const whyLost = (found: VersionedJob | undefined): Stop => {
  if (found === undefined) return "revoked";
  return found.job.state === "cancelled" ? "cancelled" : "lost";
};
