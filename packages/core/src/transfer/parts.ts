import type { Change } from "../changes/change.ts";
import type { Clock } from "../clock.ts";
import type { PermitWindow } from "../limits/permit-window.ts";
import type { QuotaRecord } from "../quotas/quota-record.ts";
import type { TokenIssue } from "../store/store.ts";
import type { UsageEvent } from "../usage/usage-event.ts";
import type { UsageGroup } from "../usage/usage-groups.ts";

/**
 * All that a store holds but who runs on it, in the same form from every engine. Each part has its order, so that two
 * stores can be compared record by record.
 */
export interface StoreParts {
  /** By revision. As the log keeps them: what was purged or erased stays so. */
  readonly changes: Change;
  /** In the order they were stored. */
  readonly usage: UsageEvent;
  /** Sums by hour and by day; by their key, each of its parts ascending by its bytes or as a number. */
  readonly hours: UsageSums;
  readonly days: UsageSums;
  /** By client. */
  readonly lastCalls: LastCall;
  /** Those in force; by key. */
  readonly permits: HeldWindow;
  /** Those in which something matters; by client. */
  readonly quotas: ClientQuotas;
  /** Those alive; by client, then key. */
  readonly tokens: TokenIssue;
}

export interface UsageSums extends Pick<UsageGroup, "key"> {
  readonly sums: readonly number[];
  /** By unit, ascending; millionths in decimal digits: they may be more than a number holds. */
  readonly worth: readonly (readonly [unit: string, sum: string])[];
}

/** When a client was last recorded, among the events that are in the sums; milliseconds since the epoch. */
export interface LastCall {
  readonly client: string;
  readonly at: number;
  /** Of calls that were let through to a service. */
  readonly letInAt?: number;
}

export interface HeldWindow {
  readonly key: string;
  readonly window: PermitWindow;
}

export interface ClientQuotas {
  /** The client's id. */
  readonly client: string;
  readonly record: QuotaRecord;
}

export type PartName = keyof StoreParts;

/** In the order in which they are copied. */
export const PART_NAMES: readonly PartName[] = [
  "changes",
  "usage",
  "hours",
  "days",
  "lastCalls",
  "permits",
  "quotas",
  "tokens",
];

/** What there is of a store beside its {@link StoreParts}. */
export interface StoreFacts {
  readonly storeId: string;
  readonly keyCheck: string;
  /** How many of the usage events, from the first on, are in the sums. */
  readonly foldedEvents: number;
  /** Events and hours before it may be gone, milliseconds since the epoch; 0: none are. */
  readonly prunedBefore: number;
}

/**
 * A store as of one moment, whatever is written to it meanwhile. Reads only, in memory that does not grow with the store.
 * @throws AigwError `store_*`
 */
export interface StoreExport {
  readonly facts: StoreFacts;
  /** Every record of the part once, in its order, some at a time. */
  read<P extends PartName>(part: P): AsyncIterable<readonly StoreParts[P][]>;
  close(): Promise<void>;
}

export interface ImportOptions {
  readonly clock: Clock;
  /** The steady time of the store that is copied, which the new one goes on with: tokens and permits are judged by it. */
  readonly steadyNow: () => number;
  /** Looks at what was imported before it becomes a store; what it throws ends the import, and nothing is left. */
  readonly verify: (imported: StoreExport) => Promise<void>;
  /** Ends it; what was written is taken away. */
  readonly signal?: AbortSignal | undefined;
}
