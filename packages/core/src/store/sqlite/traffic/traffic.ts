import { existsSync } from "node:fs";
import type { Clock } from "../../../clock.ts";
import { AigwError, isStoreFault } from "../../../errors.ts";
import { assertRoomForUsage } from "../../../files/free-space.ts";
import type { Job, VersionedJob } from "../../../jobs/job.ts";
import type { JobCursor, JobFilter, JobGroup } from "../../../jobs/job-store.ts";
import type { PermitWindow } from "../../../limits/permit-window.ts";
import type { QueueRecord } from "../../../queue/queue-record.ts";
import type { QuotaRecord } from "../../../quotas/quota-record.ts";
import type { UsageEvent, UsageFilter } from "../../../usage/usage-event.ts";
import type { UsageReport, UsageReportQuery } from "../../../usage/usage-report.ts";
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
import type { SqliteControl } from "../control/control.ts";
import { createDatabaseFile } from "../files/create-database-file.ts";
import { Database } from "../files/database.ts";
import { readInstances } from "./instance-table.ts";
import { countJobsBefore, deleteJob, readDueJobs, readJob, readJobGroups, readJobs, writeJob } from "./job-table.ts";
import { pruneWindows, readWindow, writeWindow } from "./permit-table.ts";
import { Presence } from "./presence/presence.ts";
import { pruneQueues, readQueue, writeQueue } from "./queue-table.ts";
import { pruneQuotas, readQuotas, writeQuotas } from "./quota-table.ts";
import { agreeOnSteadyOffset, noteSteadyCopy, noteSteadyTime, readBootId, readSteadyCopy } from "./steady-time.ts";
import { readLiveTokens, recordTokenIssues } from "./token-issues.ts";
import { TRAFFIC_SCHEMA } from "./traffic-schema.ts";
import { UsageFolder } from "./usage-fold.ts";
import { readLastUsage } from "./usage-last.ts";
import { UsageLog } from "./usage-log.ts";
import { pruneUsage } from "./usage-prune.ts";
import { readUsageOfRequest, readUsageSpan } from "./usage-span.ts";
import { reportUsage } from "./usage-tally.ts";

export interface TrafficOptions {
  readonly path: string;
  /** The folder in which running gateways say so. */
  readonly presencePath: string;
  readonly clock: Clock;
  readonly busyTimeoutMs: number;
  /** Keeps a copy of the time that was agreed on, and a reserve of disk space. */
  readonly control: Pick<SqliteControl, "database" | "keepReserve">;
  /** Names this boot of the machine; read from the system unless given. */
  readonly bootId?: string | undefined;
}

interface Opened {
  readonly db: Database;
  readonly usage: UsageLog;
  readonly folder: UsageFolder;
}

/** How often the file is looked at (has it been moved or deleted?), and how long a failed opening is not repeated. */
const LOOK_AGAIN_MS = 250;
/** How often a gateway that reports bears witness of the time, and sees to the reserve of disk space. */
const UPKEEP_MS = 10_000;
/** Half of what the log may have: at 4,000 pages a second somebody who looks ten times a second is early enough. */
const ENOUGH_PAGES = 2_000;

/**
 * Usage and permits in `aigw.usage.db`, which is opened on first use, and created when it is not there; instances
 * beside it, so that they need no database to report.
 */
export class SqliteTraffic implements TrafficStore {
  readonly #options: TrafficOptions;
  readonly #bootId: string;
  readonly #presence: Presence;
  #upkeepDueAt = Number.NEGATIVE_INFINITY;
  #opened: Opened | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;
  #offset: number | undefined;
  #copiedOffset: number | undefined;
  #closed = false;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#bootId = options.bootId ?? readBootId();
    this.#presence = new Presence(options.presencePath, options.clock, this.#bootId);
  }

  recordUsage(events: readonly UsageEvent[]): void {
    const { usage } = this.#open();
    assertRoomForUsage(this.#options.path);
    usage.record(events);
  }

  latestUsage(filter: UsageFilter, limit: number): UsagePage {
    return this.#open().usage.latest(filter, limit);
  }

  usageAfter(cursor: string, filter: UsageFilter, limit: number): UsagePage {
    return this.#open().usage.after(cursor, filter, limit);
  }

  usageBetween(span: UsageSpan, cursor: string | undefined, limit: number): UsagePage {
    return readUsageSpan(this.#open().db, span, cursor, limit);
  }

  usageOfRequest(requestId: string, since: number): readonly UsageEvent[] {
    return readUsageOfRequest(this.#open().db, requestId, since);
  }

  usageReport(query: UsageReportQuery): UsageReport {
    return reportUsage(this.#open().db, query);
  }

  lastUsage(
    clients: readonly string[],
    { letIn }: { readonly letIn: boolean } = { letIn: false },
  ): ReadonlyMap<string, number> {
    return readLastUsage(this.#open().db, clients, letIn);
  }

  foldUsage(limit: number): UsageSlice {
    return this.#open().folder.fold(limit);
  }

  pruneUsage(before: number, limit: number): UsageSlice {
    return pruneUsage(this.#open().db, before, limit);
  }

  /** What calls commit would be moved by one of them at 4,000 pages (`wal_autocheckpoint`). */
  checkpoint(): void {
    this.#open().db.checkpoint(ENOUGH_PAGES);
  }

  recordTokens(issues: readonly TokenIssue[]): void {
    recordTokenIssues(this.#open().db, issues);
  }

  liveTokens(now: number): readonly TokenIssue[] {
    return readLiveTokens(this.#open().db, now);
  }

  /** While the file cannot be opened, by the copy, or else by the wall clock of that moment: never a fault. */
  steadyNow(): number {
    const { clock } = this.#options;
    const now = clock.monotonic();
    if (this.#opened === undefined && now - this.#failedAt >= LOOK_AGAIN_MS && !this.#closed) {
      try {
        this.#open();
      } catch (error) {
        if (!isStoreFault(error)) throw error;
      }
    }
    this.#offset ??= this.#readCopy() ?? clock.now() - now;
    return this.#offset + now;
  }

  #readCopy(): number | undefined {
    try {
      return readSteadyCopy(this.#options.control.database, this.#bootId);
    } catch (error) {
      if (!isStoreFault(error)) throw error;
      return undefined;
    }
  }

  /** By gateways, which wait for no lock for long; commands that only read are to write nothing. */
  #noteCopy(): void {
    if (this.#offset === undefined || this.#copiedOffset === this.#offset) return;
    this.#copiedOffset = this.#offset;
    try {
      noteSteadyCopy(this.#options.control.database, this.#bootId, this.#offset);
    } catch (error) {
      // Somebody holds the lock: the next gateway notes it.
      if (!isStoreFault(error)) throw error;
    }
  }

  permitWindow(key: string): VersionedWindow | undefined {
    return readWindow(this.#open().db, key);
  }

  setPermitWindow(key: string, expectedVersion: number, window: PermitWindow): boolean {
    return writeWindow(this.#open().db, key, expectedVersion, window);
  }

  prunePermitWindows(now: number): void {
    pruneWindows(this.#open().db, now, this.steadyNow());
  }

  quotaRecord(client: string): VersionedQuotas | undefined {
    return readQuotas(this.#open().db, client);
  }

  setQuotaRecord(client: string, expectedVersion: number, record: QuotaRecord): boolean {
    return writeQuotas(this.#open().db, client, expectedVersion, record);
  }

  pruneQuotaRecords(now: number): void {
    pruneQuotas(this.#open().db, now, this.steadyNow());
  }

  queueRecord(service: string): VersionedQueue | undefined {
    return readQueue(this.#open().db, service);
  }

  setQueueRecord(service: string, expectedVersion: number, record: QueueRecord): boolean {
    return writeQueue(this.#open().db, service, expectedVersion, record, this.steadyNow());
  }

  pruneQueueRecords(now: number): void {
    pruneQueues(this.#open().db, now, this.steadyNow());
  }

  job(id: string): VersionedJob | undefined {
    return readJob(this.#open().db, id);
  }

  setJob(expectedVersion: number, job: Job): boolean {
    return writeJob(this.#open().db, expectedVersion, job);
  }

  removeJob(expectedVersion: number, id: string): boolean {
    return deleteJob(this.#open().db, expectedVersion, id);
  }

  jobs(
    filter: JobFilter,
    page: { readonly limit: number; readonly after?: JobCursor | undefined; readonly oldestFirst?: boolean },
  ): readonly VersionedJob[] {
    return readJobs(this.#open().db, filter, page);
  }

  dueJobs(now: number, limit: number, from?: number): readonly VersionedJob[] {
    return readDueJobs(this.#open().db, now, limit, from);
  }

  countJobsBefore(filter: JobFilter, before: JobCursor, most: number): number {
    return countJobsBefore(this.#open().db, filter, before, most);
  }

  jobGroups(filter: JobFilter): readonly JobGroup[] {
    return readJobGroups(this.#open().db, filter);
  }

  reportInstance(instance: Instance): void {
    this.#presence.report(instance);
    const now = this.#options.clock.monotonic();
    if (now < this.#upkeepDueAt) return;
    this.#upkeepDueAt = now + UPKEEP_MS;
    this.#noteTime();
    this.#options.control.keepReserve();
  }

  retireInstance(id: string): void {
    this.#presence.retire(id);
    this.#noteTime();
  }

  instances(withinMs: number): readonly SeenInstance[] {
    const older = existsSync(this.#options.path) ? readInstances(this.#open().db, withinMs, this.steadyNow()) : [];
    return [...this.#presence.read(withinMs), ...older];
  }

  /** That a database is locked, damaged or away is no fault of whoever reports. */
  #noteTime(): void {
    try {
      const { db } = this.#open();
      this.#noteCopy();
      noteSteadyTime(db, this.steadyNow());
    } catch (error) {
      if (!isStoreFault(error)) throw error;
    }
  }

  /** Opens the file if it has not been used yet. @returns what is wrong with it; reads all of it */
  integrityProblems(): readonly string[] {
    return this.#open().db.integrityProblems();
  }

  /** Opens the file if it has not been used yet. For upkeep only: everybody else goes through the methods above. */
  database(): Database {
    return this.#open().db;
  }

  close(): void {
    this.#closed = true;
    this.#presence.close();
    this.#opened?.db.close();
  }

  #open(): Opened {
    if (this.#closed) throw new AigwError("store_unavailable", `The database ${this.#options.path} is closed.`);
    const now = this.#options.clock.monotonic();
    if (this.#opened !== undefined && now - this.#lookedAt < LOOK_AGAIN_MS) return this.#opened;
    this.#lookedAt = now;
    if (this.#opened !== undefined) {
      if (this.#opened.db.isInPlace()) return this.#opened;
      // Writing on would put every event into a file that no longer has a name.
      this.#opened.db.close();
      this.#opened = undefined;
    }
    try {
      this.#opened = this.#connect();
      return this.#opened;
    } catch (error) {
      this.#failedAt = now;
      throw error;
    }
  }

  #connect(): Opened {
    const { path, clock, busyTimeoutMs, control } = this.#options;
    // A home that was moved away while in use: what is put in its place, by a restoration say, is another store's.
    control.database.assertInPlace();
    if (!existsSync(path)) createDatabaseFile(path, TRAFFIC_SCHEMA, () => undefined);
    const db = Database.open(path, TRAFFIC_SCHEMA, busyTimeoutMs);
    try {
      this.#offset = agreeOnSteadyOffset(db, clock, this.#bootId, this.#offset ?? this.#readCopy());
      return { db, usage: new UsageLog(db), folder: new UsageFolder(db) };
    } catch (error) {
      db.close();
      throw error;
    }
  }
}
