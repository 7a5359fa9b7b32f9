import type { Db } from "mongodb";
import type { Clock } from "../../../clock.ts";
import type { Job, VersionedJob } from "../../../jobs/job.ts";
import type { JobCursor, JobFilter, JobGroup } from "../../../jobs/job-store.ts";
import type { PermitWindow } from "../../../limits/permit-window.ts";
import type { QueueRecord } from "../../../queue/queue-record.ts";
import type { QuotaRecord } from "../../../quotas/quota-record.ts";
import type { UsageEvent, UsageFilter } from "../../../usage/usage-event.ts";
import type { UsageReport, UsageReportQuery } from "../../../usage/usage-report.ts";
import { REQUEST_PATIENCE_MS } from "../../in-time.ts";
import type {
  Instance,
  SeenInstance,
  TokenIssue,
  TrafficStore,
  UsagePage,
  UsageSlice,
  UsageSpan,
  VersionedQueue,
  VersionedQuotas,
  VersionedWindow,
} from "../../store.ts";
import type { StoreTime } from "../store-time.ts";
import { translated } from "../translate-error.ts";
import { type TrafficCollections, trafficCollections } from "./collections.ts";
import { forgetInstances, readInstances, reportInstance } from "./instances.ts";
import { countJobsBefore, deleteJob, readDueJobs, readJob, readJobGroups, readJobs, writeJob } from "./jobs.ts";
import { readWindow, writeWindow } from "./permits.ts";
import { readQueue, writeQueue } from "./queue-records.ts";
import { readQuotas, writeQuotas } from "./quota-records.ts";
import { pruneTokenIssues, readLiveTokens, recordTokenIssues } from "./token-issues.ts";
import { foldUsage } from "./usage-fold.ts";
import { readLastUsage } from "./usage-last.ts";
import { UsageLog } from "./usage-log.ts";
import { pruneUsage } from "./usage-prune.ts";
import { readUsageOfRequest, readUsageSpan } from "./usage-span.ts";
import { reportUsage } from "./usage-tally.ts";
import { pruneVersioned } from "./versioned-records.ts";

export interface MongoTrafficOptions {
  readonly db: Db;
  readonly time: StoreTime;
  readonly clock: Clock;
  /** Whether there is a server that takes writes, as far as is known. There is, unless given. */
  readonly isLed?: () => boolean;
}

/** How often whoever writes anyway drops what is told of no more. */
const UPKEEP_MS = 60_000;
/** Of what goes through many events: nobody's request waits for it. */
const LONG_WORK_MS = 60_000;

/**
 * Usage, permits and instances in one database. Each write is one document or several that may be written any number of
 * times: an error does not say that nothing was written, so that whoever is told of one does it again.
 */
export class MongoTraffic implements TrafficStore {
  readonly #time: StoreTime;
  readonly #clock: Clock;
  readonly #isLed: () => boolean;
  readonly #collections: TrafficCollections;
  readonly #log: UsageLog;
  #issuesDueAt = Number.NEGATIVE_INFINITY;
  #instancesDueAt = Number.NEGATIVE_INFINITY;

  constructor({ db, time, clock, isLed = () => true }: MongoTrafficOptions) {
    this.#isLed = isLed;
    this.#time = time;
    this.#clock = clock;
    this.#collections = trafficCollections(db, REQUEST_PATIENCE_MS);
    this.#log = new UsageLog(this.#collections.usage);
  }

  recordUsage(events: readonly UsageEvent[]): Promise<void> {
    return translated(() => this.#log.record(events));
  }

  latestUsage(filter: UsageFilter, limit: number): Promise<UsagePage> {
    return translated(() => this.#log.latest(filter, limit), LONG_WORK_MS);
  }

  usageAfter(cursor: string, filter: UsageFilter, limit: number): Promise<UsagePage> {
    return translated(() => this.#log.after(cursor, filter, limit), LONG_WORK_MS);
  }

  usageBetween(span: UsageSpan, cursor: string | undefined, limit: number): Promise<UsagePage> {
    return translated(() => readUsageSpan(this.#collections.usage, span, cursor, limit), LONG_WORK_MS);
  }

  usageOfRequest(requestId: string, since: number): Promise<readonly UsageEvent[]> {
    return translated(() => readUsageOfRequest(this.#collections.usage, requestId, since), LONG_WORK_MS);
  }

  usageReport(query: UsageReportQuery): Promise<UsageReport> {
    return translated(() => reportUsage(this.#collections, this.#log, query), LONG_WORK_MS);
  }

  lastUsage(
    clients: readonly string[],
    { letIn }: { readonly letIn: boolean } = { letIn: false },
  ): Promise<ReadonlyMap<string, number>> {
    return translated(() => readLastUsage(this.#collections, clients, letIn), LONG_WORK_MS);
  }

  foldUsage(limit: number): Promise<UsageSlice> {
    return translated(() => foldUsage(this.#collections, this.#log, limit), LONG_WORK_MS);
  }

  pruneUsage(before: number, limit: number): Promise<UsageSlice> {
    return translated(() => pruneUsage(this.#collections, this.#log, before, limit), LONG_WORK_MS);
  }

  recordTokens(issues: readonly TokenIssue[]): Promise<void> {
    return translated(async () => {
      await recordTokenIssues(this.#collections.issues, issues);
      const now = this.#clock.monotonic();
      if (now < this.#issuesDueAt) return;
      this.#issuesDueAt = now + UPKEEP_MS;
      await pruneTokenIssues(this.#collections.issues, this.#time.now());
    });
  }

  liveTokens(now: number): Promise<readonly TokenIssue[]> {
    return translated(() => readLiveTokens(this.#collections.issues, now));
  }

  steadyNow(): number {
    return this.#time.now();
  }

  permitWindow(key: string): Promise<VersionedWindow | undefined> {
    return translated(() => readWindow(this.#collections.permits, key, this.#isLed()));
  }

  setPermitWindow(key: string, expectedVersion: number, window: PermitWindow): Promise<boolean> {
    return translated(() => writeWindow(this.#collections.permits, key, expectedVersion, window, this.#time.now()));
  }

  prunePermitWindows(now: number): Promise<void> {
    return translated(() => pruneVersioned(this.#collections.permits, now));
  }

  quotaRecord(client: string): Promise<VersionedQuotas | undefined> {
    return translated(() => readQuotas(this.#collections.quotas, client));
  }

  setQuotaRecord(client: string, expectedVersion: number, record: QuotaRecord): Promise<boolean> {
    return translated(() => writeQuotas(this.#collections.quotas, client, expectedVersion, record, this.#time.now()));
  }

  pruneQuotaRecords(now: number): Promise<void> {
    return translated(() => pruneVersioned(this.#collections.quotas, now));
  }

  queueRecord(service: string): Promise<VersionedQueue | undefined> {
    return translated(() => readQueue(this.#collections.queues, service));
  }

  setQueueRecord(service: string, expectedVersion: number, record: QueueRecord): Promise<boolean> {
    return translated(() => writeQueue(this.#collections.queues, service, expectedVersion, record, this.#time.now()));
  }

  pruneQueueRecords(now: number): Promise<void> {
    return translated(() => pruneVersioned(this.#collections.queues, now));
  }

  job(id: string): Promise<VersionedJob | undefined> {
    return translated(() => readJob(this.#collections.jobs, id));
  }

  setJob(expectedVersion: number, job: Job): Promise<boolean> {
    return translated(() => writeJob(this.#collections.jobs, expectedVersion, job));
  }

  removeJob(expectedVersion: number, id: string): Promise<boolean> {
    return translated(() => deleteJob(this.#collections.jobs, expectedVersion, id));
  }

  jobs(
    filter: JobFilter,
    page: { readonly limit: number; readonly after?: JobCursor | undefined; readonly oldestFirst?: boolean },
  ): Promise<readonly VersionedJob[]> {
    return translated(() => readJobs(this.#collections.jobs, filter, page));
  }

  dueJobs(now: number, limit: number, from?: number): Promise<readonly VersionedJob[]> {
    return translated(() => readDueJobs(this.#collections.jobs, now, limit, from));
  }

  countJobsBefore(filter: JobFilter, before: JobCursor, most: number): Promise<number> {
    return translated(() => countJobsBefore(this.#collections.jobs, filter, before, most));
  }

  jobGroups(filter: JobFilter): Promise<readonly JobGroup[]> {
    return translated(() => readJobGroups(this.#collections.jobs, filter));
  }

  reportInstance(instance: Instance): Promise<void> {
    return translated(async () => {
      await reportInstance(this.#collections.instances, instance, this.#time.now());
      const now = this.#clock.monotonic();
      if (now < this.#instancesDueAt) return;
      this.#instancesDueAt = now + UPKEEP_MS;
      await forgetInstances(this.#collections.instances, this.#time.now());
    });
  }

  retireInstance(id: string): Promise<void> {
    return translated(async () => {
      await this.#collections.instances.deleteOne({ _id: id });
    });
  }

  instances(withinMs: number): Promise<readonly SeenInstance[]> {
    return translated(() => readInstances(this.#collections.instances, withinMs, this.#time.now()));
  }
}
