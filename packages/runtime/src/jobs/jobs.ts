import { hostname } from "node:os";
import type { Clock, Limiter, MaybePromise, Sealer, Store } from "@aigw/core";
import type { Client } from "@aigw/core/clients";
import { effectiveSetting } from "@aigw/core/config";
import { AigwError } from "@aigw/core/errors";
import { FolderCalls, type Job, JobFolder } from "@aigw/core/jobs";
import { mayCall } from "@aigw/core/plans";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { ApiCall } from "../gate/api-call.ts";
import type { ApiGate } from "../gate/api-gate.ts";
import type { Admitted, Authenticator } from "../gate/authenticator.ts";
import type { GatewayRequest } from "../gateway-env.ts";
import type { ProblemCode } from "../http-errors.ts";
import type { Logger } from "../log.ts";
import type { CallMeter } from "../metering/call-meter.ts";
import { ownPublicUrl } from "../own-url.ts";
import { JobBounds } from "./job-bounds.ts";
import { jobClaims } from "./job-call.ts";
import { JobCallbacks } from "./job-callbacks.ts";
import { type JobFigures, jobFigures } from "./job-figures.ts";
import { JobIntake, type Taken } from "./job-intake.ts";
import { endedJob, JobKeeper, UnsureOfChanges } from "./job-keeper.ts";
import { JOB_PATIENCE_MS, JobRecords } from "./job-records.ts";
import { JobRoutes } from "./job-routes.ts";
import { JobRunner } from "./job-runner.ts";
import { JobSendings } from "./job-sendings.ts";
import { type JobOutcome, recordJob } from "./job-usage.ts";
import type { JobWish } from "./prefer.ts";

export interface JobsDeps {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly follower: ControlFollower;
  readonly authenticator: Authenticator;
  readonly limiter: Limiter;
  readonly meter: CallMeter;
  readonly instanceId: string;
  /** Where files go unless the setting `jobs-folder` says otherwise; without either, no job is taken. */
  readonly folder: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly ownUrl: () => string;
  /** One of several processes looks after what is everybody's. */
  readonly isFirst: boolean;
  readonly onStranger: (code: ProblemCode) => void;
  readonly onError: (error: unknown, requestId: string) => void;
  readonly onFault: (error: unknown) => void;
  readonly log: Logger;
}

const TICK_MS = 500;
/** How often it is tried to remove a record that others write meanwhile. */
const MAX_TRIES = 20;
/** What the files of a job that ends with its gateway may take. */
const LAST_MS = 2_000;
/** Whoever expires is no change: what is left of such clients is looked for so often. */
const PURGE_MS = 5_000;
/** Without a service whose calls become jobs it is looked so often whether there are some from before. */
const IDLE_MS = 60_000;

/**
 * Jobs: calls that outlive their connections. A request is taken in, waits as a record and a sealed file, is run through
 * the gate like any call, and its answer is kept for its client. See docs/decisions/094-jobs.md.
 */
export class Jobs {
  readonly #deps: JobsDeps;
  readonly #records: JobRecords;
  readonly #promptRecords: JobRecords;
  readonly #intake: JobIntake;
  readonly #keeper: JobKeeper;
  readonly #callbacks: JobCallbacks;
  readonly #sendings: JobSendings;
  #runner: JobRunner | undefined;
  #routes: JobRoutes | undefined;
  readonly #bounds: JobBounds;
  #folder: JobFolder | undefined;
  #folderCalls: FolderCalls | undefined;
  #opening: Promise<JobFolder> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #abandonment: NodeJS.Timeout | undefined;
  #renewing: Promise<boolean> | undefined;
  #ticking: Promise<boolean> | undefined;
  #purgeDue = true;
  #purgeAt = 0;
  #figures: JobFigures | undefined;
  #idleUntil = 0;
  #isIdle = false;
  #closing = false;

  constructor(deps: JobsDeps) {
    this.#deps = deps;
    const { store, sealer, follower, env, instanceId, authenticator, onFault } = deps;
    const records = new JobRecords(store.traffic);
    this.#records = records;
    this.#bounds = new JobBounds({ traffic: store.traffic, follower, env });
    const { storeId } = store.control;
    const folder = (): MaybePromise<JobFolder> => this.#openFolder();
    const owner = (job: Pick<Job, "client" | "service">): Client | undefined => this.#ownerOf(job);
    // Requests wait for these.
    this.#promptRecords = new JobRecords(store.traffic, JOB_PATIENCE_MS);
    this.#intake = new JobIntake({
      records: this.#promptRecords,
      bounds: this.#bounds,
      folder,
      sealer,
      instanceId,
      hostname: hostname(),
      judge: (claims) => authenticator.judge(claims),
      onFault,
    });
    const callbacks = new JobCallbacks({
      records,
      sealer,
      storeId,
      owner,
      origins: (service) => follower.services.get(service)?.jobs?.callbackOrigins,
      publicUrl: () => this.#publicUrl(),
      onRoom: () => {
        if (!this.#closing) this.#tick();
      },
      onTold: ({ id, callback }, problem) =>
        deps.log.info(
          { job: id, origin: callback?.origin, ...(problem !== undefined && { problem }) },
          "job call-back",
        ),
      onFault,
    });
    this.#callbacks = callbacks;
    this.#sendings = new JobSendings({
      authenticator,
      records,
      isOwned: (job) => this.#ownerOf(job) !== undefined,
      idleTimeoutMs: (service) => follower.upstream(service)?.idleTimeoutMs ?? 0,
      clock: () => deps.clock.monotonic(),
    });
    this.#keeper = new JobKeeper({
      records,
      folder,
      instanceId,
      owner,
      refresh: () => follower.refresh(),
      isActive: (id) => {
        const client = follower.clientById(id);
        return client !== undefined && authenticator.standing(client) === "active";
      },
      mayRepeat: (service) => this.#mayRepeat(service),
      isRunningHere: (id) => this.#runner?.isRunning(id) === true,
      count: (job, outcome) => this.#count(job, outcome),
      onCancelled: (job) => this.#noteAdmin(job),
      tell: (known) => callbacks.tell(known),
    });
  }

  /** @param gate runs them; it knows this, so that it comes later */
  start(gate: Pick<ApiGate, "run">): void {
    const { store, sealer, follower, meter, instanceId, onFault } = this.#deps;
    const { storeId } = store.control;
    this.#runner = new JobRunner({
      records: this.#records,
      bounds: this.#bounds,
      folder: () => this.#openFolder(),
      sealer,
      instanceId,
      gate,
      meter,
      runnable: (name) => {
        const service = follower.services.get(name);
        return this.#closing || service === undefined || service.disabled !== undefined ? undefined : service;
      },
      owner: (job) => this.#ownerOf(job),
      mayRepeat: (service) => this.#mayRepeat(service),
      count: (job, outcome) => this.#count(job, outcome),
      ended: (job) => endedJob(job, this.#records.now()),
      onEnded: (job) => {
        this.#noteAdmin(job);
        if (job.callback !== undefined) this.#tick();
      },
      onFault,
    });
    this.#routes = new JobRoutes({
      follower,
      limiter: this.#deps.limiter,
      authenticator: this.#deps.authenticator,
      records: this.#records,
      folder: () => this.#openFolder(),
      sealer,
      storeId,
      queue: this.#runner.queue,
      sendings: this.#sendings,
      isOwned: (job) => this.#ownerOf(job) !== undefined,
      cancel: (job) => this.#cancel(job.id),
      onStranger: this.#deps.onStranger,
      onElsewhere: ({ id, hostname: where, place }) =>
        this.#deps.log.warn(
          { job: id, keptBy: where, place },
          "a result that is asked for here lies in another gateway's folder: share the setting jobs-folder",
        ),
      onError: this.#deps.onError,
    });
  }

  /** Runs what waits: not before others can know that this gateway runs, or they would take its jobs for forsaken. */
  begin(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  /** As they were a few seconds ago; undefined in all but one of several processes, and where there is nothing. */
  get figures(): JobFigures | undefined {
    return this.#deps.isFirst ? this.#figures : undefined;
  }

  /** Requests under `/jobs/`. */
  handle(request: GatewayRequest): void {
    this.#routes?.handle(request);
  }

  async take(call: ApiCall, who: Admitted, wish: JobWish): Promise<Taken> {
    const taken = await this.#intake.take(call, who, wish);
    this.#isIdle = false;
    if (taken.kind === "taken" && this.#timer !== undefined) void this.#runner?.look();
    return taken;
  }

  /** Something has changed that may take a right away. */
  changed(): void {
    this.#purgeDue = true;
    this.#isIdle = false;
    this.cutRevoked();
    if (this.#timer !== undefined) this.#tick();
  }

  /** Cheap: looks at what is under way here. */
  cutRevoked(): void {
    this.#intake.check();
    this.#runner?.cutRevoked();
    this.#sendings.check();
  }

  prune(): void {
    this.#routes?.prune();
  }

  /** Begins no more; those under way get so long to end. Requests are taken in until the last connection is closed. */
  async drain(drainMs: number): Promise<void> {
    this.#closing = true;
    this.#abandonment = setTimeout(() => this.#folderCalls?.abandon(), drainMs + LAST_MS);
    await this.#runner?.close(drainMs);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
    await this.#ticking;
    clearTimeout(this.#abandonment);
    await this.#callbacks.close();
  }

  #tick(): void {
    const runner = this.#runner;
    if (runner === undefined || (this.#isIdle && performance.now() < this.#idleUntil) || !this.#hasFolder()) return;
    this.#renewing ??= this.#isDone(this.#renew(runner)).finally(() => {
      this.#renewing = undefined;
    });
    const renewed = this.#renewing;
    this.#ticking ??= this.#isDone(renewed.then((isDone) => (isDone ? this.#look(runner) : undefined))).finally(() => {
      this.#ticking = undefined;
    });
  }

  async #isDone(work: Promise<void>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      // What was to be taken away may still be there.
      this.#purgeDue = true;
      this.#keeper.distrust();
      this.#deps.onFault(error);
      return false;
    }
  }

  /** Asks the store only: a folder that does not answer is no reason to be taken for a gateway that has ended. */
  async #renew(runner: JobRunner): Promise<void> {
    await this.#intake.renew();
    await runner.renew();
    await this.#sendings.cutGone();
  }

  async #look(runner: JobRunner): Promise<void> {
    const { follower, store, isFirst } = this.#deps;
    const now = performance.now();
    if (follower.isFresh() !== true) return;
    const isUsed = [...follower.upstreams].some(({ jobs }) => jobs !== undefined);
    if (!isUsed && runner.running === 0 && (await store.traffic.jobs({}, { limit: 1 })).length === 0) {
      this.#isIdle = true;
      this.#figures = undefined;
      this.#idleUntil = now + IDLE_MS;
      this.#purgeDue = false;
      return;
    }
    if (this.#purgeDue || now >= this.#purgeAt) await this.#purge();
    await this.#keeper.adopt();
    await this.#keeper.look();
    if (!this.#closing) await runner.look();
    if (isFirst) await this.#keeper.sweepFiles();
  }

  async #purge(): Promise<void> {
    this.#purgeDue = false;
    this.#purgeAt = performance.now() + PURGE_MS;
    try {
      this.#figures = jobFigures(await this.#keeper.purge(), this.#records.now());
    } catch (error) {
      if (!(error instanceof UnsureOfChanges)) throw error;
      // Its turn comes again; a store that is slow to say what has changed is no reason to leave the rest undone.
      this.#purgeDue = true;
    }
  }

  /** By its client. One that has ended is gone with all that was kept of it, whoever writes its record meanwhile. */
  async #cancel(id: string): Promise<void> {
    const records = this.#promptRecords;
    if ((await records.cancel(id)) !== undefined) {
      this.#runner?.cancel(id);
      this.#tick();
      return;
    }
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const found = await records.get(id);
      if (found === undefined) return;
      const { job } = found;
      // Its usage is still to be recorded: whoever does takes its files away.
      if (job.counted === undefined) return;
      if (!(await records.remove(found))) continue;
      this.#sendings.cut(id);
      // Where that is not possible at this moment, the sweep does it.
      await this.#removeFiles(job).catch(this.#deps.onFault);
      return;
    }
  }

  async #removeFiles(job: Job): Promise<void> {
    const folder = await this.#openFolder();
    if (job.place === folder.place) await folder.remove(job);
  }

  #ownerOf({ client: id, service }: Pick<Job, "client" | "service">): Client | undefined {
    const { authenticator, follower } = this.#deps;
    const client = follower.clientById(id);
    if (client === undefined || authenticator.judge(jobClaims(client, false)).kind !== "ok") return undefined;
    return follower.upstream(service) !== undefined && mayCall(follower.termsOf(client), service) ? client : undefined;
  }

  #mayRepeat(service: string): boolean {
    return this.#deps.follower.services.get(service)?.jobs?.retry === true;
  }

  #count(job: Job, outcome: JobOutcome): void {
    const { clock, follower, meter } = this.#deps;
    const client = follower.clientById(job.client);
    recordJob(meter, job, outcome, {
      client,
      wallNow: clock.now(),
      monotonicNow: clock.monotonic(),
      now: this.#records.now(),
    });
  }

  /** What an admin has ended outlasts its record, see docs/decisions/103-who-cancelled-a-job.md. */
  #noteAdmin({ id, service, requestId, cancelledBy }: Job): void {
    if (cancelledBy === undefined) return;
    this.#deps.log.info({ job: id, service, requestId, by: cancelledBy }, "job cancelled");
  }

  #publicUrl(): string {
    const { follower, env, ownUrl } = this.#deps;
    const { value = "", source } = effectiveSetting("public-url", follower.settings, env);
    return source === "default" ? ownPublicUrl(ownUrl()) : value;
  }

  #hasFolder(): boolean {
    return (this.#deps.folder ?? this.#folderSetting()) !== undefined;
  }

  #folderSetting(): string | undefined {
    return effectiveSetting("jobs-folder", this.#deps.follower.settings, this.#deps.env).value;
  }

  /** The same as long as this process runs: what lies in one folder is not found in another. */
  #openFolder(): MaybePromise<JobFolder> {
    if (this.#folder !== undefined) return this.#folder;
    const path = this.#folderSetting() ?? this.#deps.folder;
    if (path === undefined)
      throw new AigwError("failed", "There is no folder for jobs. Set one: aigw config set jobs-folder <path>");
    if (this.#folderCalls?.path !== path) this.#folderCalls = new FolderCalls(path);
    this.#opening ??= JobFolder.open(path, this.#deps.store.control.storeId, this.#folderCalls)
      .then((folder) => (this.#folder = folder))
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }
}
