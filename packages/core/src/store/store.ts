import type { Change, ChangeDraft } from "../changes/change.ts";
import type { ControlState } from "../changes/control-state.ts";
import type { Client } from "../clients/client.ts";
import type { SettingKey } from "../config/settings.ts";
import type { Keyring } from "../keys/signing-key.ts";
import type { PermitWindow } from "../limits/permit-window.ts";
import type { Service } from "../services/service.ts";
import type { UsageEvent, UsageFilter } from "../usage/usage-event.ts";

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
  /** Changes with rev > `after`, ascending, at most `limit`. */
  changesAfter(after: number, limit: number): MaybePromise<readonly Change[]>;
  /** The newest `limit` changes, newest first, of one subject or all. */
  latestChanges(query: { readonly limit: number; readonly subject?: string }): MaybePromise<readonly Change[]>;
  /**
   * Appends one change with rev `expectedRev` + 1 and folds it into the views; durable when it returns.
   * `client.remove` also purges the earlier changes of that client.
   * @throws AigwError `changed_meanwhile` when the log's head is not `expectedRev`; nothing was written
   */
  append(expectedRev: number, draft: ChangeDraft, act: { at: number; actor: string }): MaybePromise<Change>;
  /** Everything, consistent at one revision. */
  snapshot(): MaybePromise<ControlState>;

  // The views. Read head() first and append with it: a change in between then fails the append.
  client(name: string): MaybePromise<Client | undefined>;
  /** By name, ascending. */
  clients(): MaybePromise<readonly Client[]>;
  service(name: string): MaybePromise<Service | undefined>;
  services(): MaybePromise<readonly Service[]>;
  keyring(): MaybePromise<Keyring>;
  settings(): MaybePromise<ReadonlyMap<SettingKey, string>>;
}

/** What a running gateway says of itself. */
export interface Instance {
  readonly id: string;
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly address: string;
  readonly pid: number;
  readonly version: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly startedAt: number;
  readonly state: "ready" | "stale" | "draining";
  /** Every change up to this revision is in force on it. */
  readonly appliedRev: number;
  /** Mean over the last 10 s. */
  readonly requestsPerSecond: number;
  /** Usage events lost since it started, because they could not be stored; 0 in health. */
  readonly droppedUsage: number;
}

/** An instance as the store knows it. `lastSeenAgoMs` is by the store's own clock. */
export type SeenInstance = Instance & { readonly lastSeenAgoMs: number };

/** That a token was issued: enough to say whom a rotation hits. One row per client and key, the latest. */
export interface TokenIssue {
  readonly clientId: string;
  readonly kid: string;
  readonly epoch: number;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** Usage, permits and instances: busy data, apart from the change log. */
export interface TrafficStore {
  /** Stores the events whose id is new, all or none of the batch. */
  recordUsage(events: readonly UsageEvent[]): MaybePromise<void>;
  /** The newest `limit` matching events in the order they were stored, and the cursor behind them. */
  latestUsage(filter: UsageFilter, limit: number): MaybePromise<UsagePage>;
  /** Matching events stored after `cursor`, in that order, at most `limit`. Cheap when nothing is new. */
  usageAfter(cursor: string, filter: UsageFilter, limit: number): MaybePromise<UsagePage>;

  recordTokens(issues: readonly TokenIssue[]): MaybePromise<void>;
  /** Issues not yet expired at `now` (milliseconds since the epoch). */
  liveTokens(now: number): MaybePromise<readonly TokenIssue[]>;

  /**
   * Milliseconds on a clock shared by all users of this store, unaffected by setting the wall clock, and not going back
   * over restarts. The time base of permits and instances. Costs no I/O.
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

  reportInstance(instance: Instance): MaybePromise<void>;
  retireInstance(id: string): MaybePromise<void>;
  /** Instances seen within `withinMs`; forgets those unseen for an hour. */
  instances(withinMs: number): MaybePromise<readonly SeenInstance[]>;
}

export interface UsagePage {
  readonly events: readonly UsageEvent[];
  /** Opaque; hand it back to {@link TrafficStore.usageAfter}. */
  readonly cursor: string;
}

export interface VersionedWindow {
  readonly version: number;
  readonly window: PermitWindow;
}
