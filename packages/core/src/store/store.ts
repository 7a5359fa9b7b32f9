import type { Change, ChangeDraft } from "../changes/change.ts";
import type { ControlState } from "../changes/control-state.ts";
import type { Client } from "../clients/client.ts";
import type { SettingKey } from "../config/settings.ts";
import type { JobStore } from "../jobs/job-store.ts";
import type { Keyring } from "../keys/signing-key.ts";
import type { PermitWindow } from "../limits/permit-window.ts";
import type { Plan } from "../plans/plan.ts";
import type { QueueRecord } from "../queue/queue-record.ts";
import type { QuotaRecord } from "../quotas/quota-record.ts";
import type { Service } from "../services/service.ts";
import type { UsageEvent, UsageFilter } from "../usage/usage-event.ts";
import type { UsageReport, UsageReportQuery } from "../usage/usage-report.ts";

/**
 * A value or a promise of it. The embedded engine answers at once, so that the hot path pays for no promise; an engine
 * behind a network returns promises. Callers must take both.
 */
export type MaybePromise<T> = T | Promise<T>;

/**
 * The port to storage. Every write is an insert under a unique key or a compare-and-set of one record; reading forward
 * is polling by revision or cursor. That is all an engine must offer: no transactions across records, no change feed.
 * Every method throws AigwError with a `store_*` code when the store cannot do it now.
 */
export interface Store {
  readonly control: ControlStore;
  readonly traffic: TrafficStore;
  close(): Promise<void>;
}

/** The change log and what is folded from it. */
export interface ControlStore {
  /** Identifies this store for ever; part of the tokens' `iss`. */
  readonly storeId: string;
  /** The latest revision, 0 in an empty log. Cheap enough to ask every 50 ms. */
  head(): MaybePromise<number>;
  /** Changes with rev > `after`, ascending, at most `limit`. Up to the head they are settled (isSettled). */
  changesAfter(after: number, limit: number): MaybePromise<readonly Change[]>;
  /** The newest `limit` changes, newest first. With a subject: those that are about it, each with these effects alone. */
  latestChanges(query: { readonly limit: number; readonly subject?: string }): MaybePromise<readonly Change[]>;
  /**
   * Appends one change with rev `expectedRev` + 1, whatever the number of its effects, and folds it into the views: all
   * of it or nothing, and nobody ever sees a part; durable when it returns.
   *
   * A secret is in the newest effect on its subject alone: of each earlier one on the same subject (subjectOf) that holds
   * any (secretsOf), the log keeps what withoutSecrets makes of it. `client.remove` also purges what earlier changes hold
   * of that client, and nothing else of them. An engine that writes one record at a time appends first and erases then;
   * it notes in the change that this is due until it is done, and whoever opens the store next does what was broken off,
   * which may be done twice. Until then nobody takes an erased effect for what holds: whoever reads up to a revision and
   * finds one to be the newest on its subject knows that there is a later revision, and reads again. secretsContract has
   * what every engine must do; what its files still hold is for `upkeep`.
   * @throws AigwError `changed_meanwhile` when the log's head is not `expectedRev`; nothing was written
   * @throws TypeError see assertOneChange; nothing was written
   */
  append(expectedRev: number, drafts: readonly ChangeDraft[], act: { at: number; actor: string }): MaybePromise<Change>;
  /** Everything, consistent at one revision. */
  snapshot(): MaybePromise<ControlState>;

  // The views. Read head() first and append with it: a change in between then fails the append.
  client(name: string): MaybePromise<Client | undefined>;
  /** By name, ascending. */
  clients(): MaybePromise<readonly Client[]>;
  service(name: string): MaybePromise<Service | undefined>;
  services(): MaybePromise<readonly Service[]>;
  plan(name: string): MaybePromise<Plan | undefined>;
  plans(): MaybePromise<readonly Plan[]>;
  keyring(): MaybePromise<Keyring>;
  settings(): MaybePromise<ReadonlyMap<SettingKey, string>>;
}

/** What a running gateway says of itself. */
export interface Instance {
  readonly id: string;
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly address: string;
  /** The machine's name: on two of them 0.0.0.0:8080 are two addresses. Absent in older records. */
  readonly hostname?: string;
  /** Its number, from 1, when it is one of several processes that share the address. */
  readonly worker?: number;
  readonly pid: number;
  readonly version: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly startedAt: number;
  readonly state: "ready" | "stale" | "draining";
  /** Every change up to this revision is in force on it. */
  readonly appliedRev: number;
  /** Mean over the last 10 s. */
  readonly requestsPerSecond: number;
  /** Requests whose usage was lost since it started, because it could not be stored; 0 in health. */
  readonly droppedUsage: number;
  /** How long it serves on without the store, milliseconds. Absent in older records. */
  readonly maxStaleMs?: number;
  /**
   * Its file descriptors: open now, the most there may be, and how many connections and calls were refused for want of
   * them since it started. Absent where the limit cannot be read, and in older records.
   */
  readonly openFiles?: { readonly used: number; readonly limit: number; readonly refused: number };
  /** Set when a crash would write its memory, which holds the master key, to a file. */
  readonly dumpsCore?: boolean;
  /** Who sends forwarded fields without being trusted. Absent in older records. */
  readonly untrustedForwarders?: readonly UntrustedForwarder[];
  /** Targets of services of which there is something to tell; the others are up. Absent in older records. */
  readonly targets?: readonly ReportedTarget[];
}

/** How one target of a service is, as one gateway sees it. */
export interface ReportedTarget {
  readonly service: string;
  readonly url: string;
  readonly state: "up" | "down";
  /** Since when, milliseconds since the epoch. */
  readonly since: number;
  /** Calls under way to it. */
  readonly openCalls: number;
  /** Why it is down: a fault, or `unhealthy` when its check answered with another status. */
  readonly reason?: string;
}

/** A peer whose forwarded fields count for nothing: a proxy that the gateway was not told of, or somebody who makes them up. */
export interface UntrustedForwarder {
  readonly peer: string;
  /** The command that makes it a trusted proxy. */
  readonly mend: string;
}

/** An instance as the store knows it. */
export type SeenInstance = Instance & {
  /** By the store's own clock. */
  readonly lastSeenAgoMs: number;
  /** Set when it is late to report, and is known to run all the same. */
  readonly alive?: true;
  /** It does not serve, but may do so again: nobody can see whether it has ended. */
  readonly mayReturn?: true;
};

/** That a token was issued: enough to say whom a rotation hits. One row per client and key, the latest. */
export interface TokenIssue {
  readonly clientId: string;
  readonly kid: string;
  readonly epoch: number;
  /** By the store's steady time, milliseconds. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** Usage, permits, jobs and instances: busy data, apart from the change log. */
export interface TrafficStore extends JobStore {
  /** Stores the events whose id is new, all or none of the batch. */
  recordUsage(events: readonly UsageEvent[]): MaybePromise<void>;
  /** The newest `limit` matching events in the order they were stored, and the cursor behind them. */
  latestUsage(filter: UsageFilter, limit: number): MaybePromise<UsagePage>;
  /** Matching events stored after `cursor`, in that order, at most `limit`. Cheap when nothing is new. */
  usageAfter(cursor: string, filter: UsageFilter, limit: number): MaybePromise<UsagePage>;

  /**
   * Events of a span by time, ascending, at most `limit`; go on with the cursor it returns until a page is not full.
   * Events that are stored meanwhile may be missed. Costs what it returns, not what there is.
   */
  usageBetween(span: UsageSpan, cursor: string | undefined, limit: number): MaybePromise<UsagePage>;
  /** The newest ten events of this request id since then, newest first. Clients choose ids, so there may be several. */
  usageOfRequest(requestId: string, since: number): MaybePromise<readonly UsageEvent[]>;
  /**
   * Sums over a period, exact at every moment: what {@link foldUsage} has counted, and single events for the rest.
   * Costs by clients, services and days in the period, not by events, as long as folding keeps up.
   */
  usageReport(query: UsageReportQuery): MaybePromise<UsageReport>;
  /**
   * When each of these clients was last recorded, milliseconds since the epoch; never recorded ones are left out. With
   * `letIn` only calls count that were let through to a service.
   * Pruning does not forget it. One look-up a client, and one look at each event that is not folded yet.
   */
  lastUsage(clients: readonly string[], only?: { readonly letIn: boolean }): MaybePromise<ReadonlyMap<string, number>>;
  /**
   * Counts up to `limit` events, in the order they were stored, into hours and days, each event once, whoever calls it
   * and however often. It is one step: the embedded store may only read as many, and count them in later ones, until
   * which there is `more`. Kept apart from {@link recordUsage} because an event is then paid for once per group, not once
   * per event. An engine without transactions over several records keeps the cursor it has folded up to, claims the slice
   * behind it before it adds that to the sums, and keeps in each record of sums the cursor that it last took in: a fold
   * that was broken off is then repeated, the same slice, and adds only to records whose own cursor is behind.
   */
  foldUsage(limit: number): MaybePromise<UsageSlice>;
  /**
   * Drops up to `limit` folded events of the days before the one of `before` (UTC), then their hours; the days' sums
   * stay, so that reports still count them. Never drops what is not folded.
   */
  pruneUsage(before: number, limit: number): MaybePromise<UsageSlice>;

  recordTokens(issues: readonly TokenIssue[]): MaybePromise<void>;
  /** Issues not yet expired at `now` (steady). */
  liveTokens(now: number): MaybePromise<readonly TokenIssue[]>;

  /**
   * Milliseconds on a clock shared by all users of this store, unaffected by setting the wall clock, and not going back
   * over restarts; as near to the wall clock as that allows. The time base of tokens, permits and instances. Costs no I/O.
   */
  steadyNow(): number;
  permitWindow(key: string): MaybePromise<VersionedWindow | undefined>;
  /**
   * Compare-and-set; `expectedVersion` 0 inserts.
   * @returns false when another holder was first; nothing was written
   */
  setPermitWindow(key: string, expectedVersion: number, window: PermitWindow): MaybePromise<boolean>;
  /** Drops windows in which nothing counts any more at `now` (steady). */
  prunePermitWindows(now: number): MaybePromise<void>;

  /** What a client, by its id, has used of its quotas. */
  quotaRecord(client: string): MaybePromise<VersionedQuotas | undefined>;
  /**
   * Compare-and-set; `expectedVersion` 0 inserts.
   * @returns false when another holder was first; nothing was written
   */
  setQuotaRecord(client: string, expectedVersion: number, record: QuotaRecord): MaybePromise<boolean>;
  /** Drops records in which nothing matters any more at `now` (steady), see endOfRecord. */
  pruneQuotaRecords(now: number): MaybePromise<void>;

  /** Who has the slots of a service, by its id, and who waits for one. */
  queueRecord(service: string): MaybePromise<VersionedQueue | undefined>;
  /**
   * Compare-and-set; `expectedVersion` 0 inserts.
   * @returns false when another holder was first; nothing was written
   */
  setQueueRecord(service: string, expectedVersion: number, record: QueueRecord): MaybePromise<boolean>;
  /**
   * Drops records of which no gateway says any more that it is there at `now` (steady), a day later where they say how
   * long a call takes: see endOfQueue.
   */
  pruneQueueRecords(now: number): MaybePromise<void>;

  /** Says that it runs, and what it has applied. Not to depend on what usage and permits are kept in being free. */
  reportInstance(instance: Instance): MaybePromise<void>;
  /** It has ended, or is about to: nobody waits for it any more. */
  retireInstance(id: string): MaybePromise<void>;
  /**
   * Those seen within `withinMs`, and those unseen for longer that may run all the same: whatever keeps an instance from
   * reporting, it is left out only once it was retired or has ended. An engine that cannot see that one has ended keeps
   * it for as long as it could serve without the store. Those unseen for an hour are forgotten, unless known to be alive.
   * Only reads.
   */
  instances(withinMs: number): MaybePromise<readonly SeenInstance[]>;
}

export interface UsagePage {
  readonly events: readonly UsageEvent[];
  /** Opaque; hand it back to {@link TrafficStore.usageAfter}. */
  readonly cursor: string;
}

/** Which events by time; every given field of the filter must match. */
export interface UsageSpan {
  /** `since` ≤ at. */
  readonly filter: UsageFilter;
  /** At < `until`, milliseconds since the epoch. */
  readonly until: number;
}

/** A step of a long work. */
export interface UsageSlice {
  /** How many events it took up, fewer than were allowed also when there is more. */
  readonly events: number;
  readonly more: boolean;
}

export interface VersionedWindow {
  readonly version: number;
  readonly window: PermitWindow;
}

export interface VersionedQueue {
  readonly version: number;
  readonly record: QueueRecord;
}

export interface VersionedQuotas {
  readonly version: number;
  readonly record: QuotaRecord;
}
