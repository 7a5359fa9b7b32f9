import type { MaybePromise } from "@aigw/core";
import type { Client } from "@aigw/core/clients";
import { AigwError } from "@aigw/core/errors";
import {
  hasEnded,
  type Job,
  type JobFolder,
  type JobGroup,
  keptUntil,
  requeuedJob,
  type VersionedJob,
  wakeOfEnded,
  wasReceiving,
} from "@aigw/core/jobs";
import { inTime, WORK_PATIENCE_MS } from "@aigw/core/store";
import { type JobRecords, LEASE_MS } from "./job-records.ts";

export interface JobKeeperDeps {
  readonly records: JobRecords;
  readonly folder: () => MaybePromise<JobFolder>;
  readonly instanceId: string;
  /** The client, when it may still have jobs of that service. */
  readonly owner: (job: Pick<Job, "client" | "service">) => Client | undefined;
  /** Looks at the log of changes now. @returns whether all that was done before is known here */
  readonly refresh: () => Promise<boolean>;
  /** Whether a client may have any. */
  readonly isActive: (client: string) => boolean;
  readonly mayRepeat: (service: string) => boolean;
  readonly isRunningHere: (id: string) => boolean;
  /** Records the usage of a job whose call has left none. */
  readonly count: (job: Job, outcome: "incomplete" | "aborted" | "timeout" | "revoked") => void;
  /** One that was cancelled is at its end. */
  readonly onCancelled: (job: Job) => void;
  /** A call-back is due. */
  readonly tell: (known: VersionedJob) => void;
}

/** A job that ends gateways is not run for ever. */
const MOST_ATTEMPTS = 5;
const PAGE = 100;
const PAGES_A_LOOK = 5;
/** A file without a record is left for so long: whoever took the record away is about to remove it, too. */
const ORPHAN_MS = 60_000;
const ADOPT_EVERY_MS = 1_000;
/** Gateways report every second; of one that is later the store sees by itself whether it runs, where it can. */
const SEEN_MS = 2_000;
const ORPHANS_EVERY_MS = 60_000;

/** The store does not say in time what has changed: nothing is taken away before it does. */
export class UnsureOfChanges extends AigwError {
  constructor() {
    super("store_unavailable", "The store does not say what has changed. Look at it again soon.");
  }
}

/** The record of a job that has ended: when it is looked at next, and when its end is told. */
export const endedJob = (job: Job, now: number): Job => {
  const { callback } = job;
  const told = callback === undefined ? job : { ...job, callback: { ...callback, dueAt: callback.dueAt ?? now } };
  return { ...told, wakeAt: wakeOfEnded(told) };
};

/** Sees to what nobody else sees to: jobs whose gateways have ended, what is due to go, what is left of clients. */
export class JobKeeper {
  readonly #deps: JobKeeperDeps;
  /** Until then records that look forsaken may be those of gateways that could not reach the store either. */
  #trustAt = 0;
  #orphansAt = 0;
  #adoptAt = 0;
  /** Where the next look at what is due begins; undefined: with what is due longest. */
  #dueFrom: number | undefined;

  constructor(deps: JobKeeperDeps) {
    this.#deps = deps;
  }

  /** The store was away: others could not say that they run. */
  distrust(): void {
    this.#trustAt = this.#deps.records.now() + LEASE_MS;
  }

  /**
   * Jobs of gateways that have ended, as the store sees it: a home knows at once that a process of its machine is gone.
   * @throws the store's faults
   */
  async adopt(): Promise<void> {
    const { records, instanceId } = this.#deps;
    const now = records.now();
    if (now < this.#adoptAt || now < this.#trustAt) return;
    this.#adoptAt = now + ADOPT_EVERY_MS;
    const held: VersionedJob[] = [];
    for (const state of ["running", "receiving"] as const) {
      held.push(...(await inTime(records.traffic.jobs({ state }, { limit: PAGE }), WORK_PATIENCE_MS)));
    }
    if (held.every(({ job }) => job.holder === instanceId)) return;
    const instances = await inTime(records.traffic.instances(SEEN_MS), WORK_PATIENCE_MS);
    const alive = new Set(instances.map(({ id }) => id));
    for (const known of held) {
      const { holder } = known.job;
      if (holder !== undefined && holder !== instanceId && !alive.has(holder)) await this.#forsaken(known);
    }
  }

  /**
   * What is due now, some pages of it: the next look goes on behind them, so that what stays due, such as call-backs that
   * cannot be tried yet, holds up nothing else.
   * @throws the store's faults
   */
  async look(): Promise<void> {
    const { records } = this.#deps;
    const now = records.now();
    let last: string | undefined;
    for (let pages = 0; pages < PAGES_A_LOOK; pages += 1) {
      const page = await inTime(records.traffic.dueJobs(now, PAGE, this.#dueFrom), WORK_PATIENCE_MS);
      for (const known of page) if (known.job.id !== last) await this.#lookAt(known, now);
      const end = page.at(-1)?.job;
      if (page.length < PAGE || end === undefined) {
        this.#dueFrom = undefined;
        return;
      }
      last = end.id;
      this.#dueFrom = page[0]?.job.wakeAt === end.wakeAt ? end.wakeAt + 1 : end.wakeAt;
    }
  }

  async #lookAt(known: VersionedJob, now: number): Promise<void> {
    const { job } = known;
    if (hasEnded(job)) {
      if (job.counted === undefined) await this.#countEnded(known);
      else if (keptUntil(job) <= now) await this.#forget(known);
      else if ((job.callback?.dueAt ?? Number.POSITIVE_INFINITY) <= now) this.#deps.tell(known);
    } else if (job.state === "queued") await this.#end(known, "failed", "timeout");
    else if (now >= this.#trustAt) await this.#forsaken(known);
  }

  async #forsaken(known: VersionedJob): Promise<void> {
    const { records, instanceId, isRunningHere, mayRepeat } = this.#deps;
    const { job } = known;
    if (isRunningHere(job.id)) return;
    if (job.state === "receiving") {
      // It may have been taken in at this moment: its file is what is to run.
      if (await records.remove(known)) await this.#removeFiles(job);
      return;
    }
    // Its claim was ours, and we were not told: it has not begun.
    const hasBegun = job.holder !== instanceId;
    if (!hasBegun || (mayRepeat(job.service) && job.attempts < MOST_ATTEMPTS)) {
      await records.set(known, { ...requeuedJob(job), ...(hasBegun && { claimed: true }) });
    } else await this.#end(known, "interrupted", "incomplete");
  }

  async #end(known: VersionedJob, state: Job["state"], outcome: "incomplete" | "timeout"): Promise<void> {
    const { records, count } = this.#deps;
    const now = records.now();
    const { holder: _gone, ...job } = known.job;
    const ended: Job = { ...job, state, endedAt: now, resultBytes: 0, storedBytes: 0, counted: true };
    if ((await records.set(known, endedJob(ended, now))) === undefined) return;
    count(known.job, outcome);
    await this.#removeFiles(known.job);
  }

  /** It was cancelled where nobody could record it. */
  async #countEnded(known: VersionedJob): Promise<void> {
    const { records, count, onCancelled } = this.#deps;
    const { holder: _gone, ...job } = known.job;
    const counted: Job = { ...job, counted: true, resultBytes: 0, storedBytes: 0 };
    if ((await records.set(known, endedJob(counted, records.now()))) === undefined) return;
    onCancelled(counted);
    if (!wasReceiving(known.job)) count(known.job, "aborted");
    await this.#removeFiles(known.job);
  }

  async #forget(known: VersionedJob): Promise<void> {
    await this.#removeFiles(known.job);
    await this.#deps.records.remove(known);
  }

  async #removeFiles(job: Job): Promise<void> {
    const folder = await this.#deps.folder();
    if (job.place === folder.place) await folder.remove(job);
  }

  /**
   * Takes away all that clients have who may have nothing any more: their files at once, then their records.
   * @returns what there was before
   * @throws UnsureOfChanges; the store's faults
   */
  async purge(): Promise<readonly JobGroup[]> {
    const { records, folder, isActive, owner, refresh } = this.#deps;
    const ours = await folder();
    const clients = await ours.clients();
    const groups = await inTime(records.traffic.jobGroups({}), WORK_PATIENCE_MS);
    // Another gateway may have taken jobs of a client that this one has not heard of yet.
    if (!(await refresh())) throw new UnsureOfChanges();
    for (const client of clients) if (!isActive(client)) await ours.removeClient(client);
    for (const group of groups) if (owner(group) === undefined) await this.#purgeAll(group);
    return groups;
  }

  async #purgeAll({ client, service }: Pick<Job, "client" | "service">): Promise<void> {
    const { records, count } = this.#deps;
    for (;;) {
      const page = await inTime(records.traffic.jobs({ client, service }, { limit: PAGE }), WORK_PATIENCE_MS);
      for (const known of page) {
        await this.#removeFiles(known.job);
        if (!(await records.remove(known))) continue;
        // Who runs or receives it sees that it is gone, and records what there was of it.
        if (known.job.counted === undefined && known.job.state === "queued") count(known.job, "revoked");
      }
      if (page.length < PAGE) return;
    }
  }

  /** Removes files whose records are gone, from time to time. @throws the store's faults */
  async sweepFiles(): Promise<void> {
    const now = performance.now();
    if (now < this.#orphansAt) return;
    this.#orphansAt = now + ORPHANS_EVERY_MS;
    const { folder, records } = this.#deps;
    const ours = await folder();
    for await (const { client, id, mtimeMs } of ours.files()) {
      if (Date.now() - mtimeMs < ORPHAN_MS) continue;
      if ((await records.get(id)) === undefined) await ours.remove({ client, id });
    }
  }
}
