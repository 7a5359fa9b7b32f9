import { LIMIT_WINDOW_MS } from "@aigw/core/clients";
import { Limiter, type Share } from "@aigw/core/limits";
import { FairQueue } from "@aigw/core/queue";
import { AccountJournal, QuotaLedger } from "@aigw/core/quotas";
import { inTime, type TrafficStore, WORK_PATIENCE_MS } from "@aigw/core/store";
import { GuessLimit } from "./login/guess-limit.ts";

export interface SharedCountsOptions {
  readonly traffic: TrafficStore;
  readonly instanceId: string;
  /** This gateway's part while the store is away. */
  readonly share: () => Share;
  /** Where what quotas count waits while the store takes none of it. */
  readonly quotaFolder: string | undefined;
  /** @param what could not be done */
  readonly onFault: (what: string, error: unknown) => void;
}

/** What is counted over all gateways that share the store: limits, quotas, slots of services, guesses. */
export class SharedCounts {
  readonly limiter: Limiter;
  readonly ledger: QuotaLedger;
  readonly fairQueue: FairQueue;
  readonly guessLimit: GuessLimit;
  readonly #options: SharedCountsOptions;

  constructor(options: SharedCountsOptions) {
    this.#options = options;
    const { traffic: store, instanceId: holder, share, quotaFolder: folder, onFault } = options;
    this.limiter = new Limiter({ store, holder, windowMs: LIMIT_WINDOW_MS, bundles: true, share });
    this.ledger = new QuotaLedger({
      store,
      holder,
      share,
      journal: folder === undefined ? undefined : new AccountJournal({ folder, id: holder }),
      onError: (error) => onFault("write what quotas count", error),
    });
    this.fairQueue = new FairQueue({
      store,
      holder,
      share,
      onError: (error) => onFault("keep a service's queue", error),
    });
    this.guessLimit = new GuessLimit(store, holder, share);
  }

  /** Writes what waits to be written; several times a second. */
  settle(): void {
    void this.ledger.sweep();
    for (const one of [this.limiter, this.guessLimit]) {
      void one.settle().catch((error: unknown) => this.#options.onFault("write permits", error));
    }
  }

  /** Forgets what does not count any more. */
  prune(): void {
    this.limiter.prune();
    this.guessLimit.prune();
  }

  /** The same for the store, of which one gateway is enough. @throws the store's faults */
  async pruneStore(): Promise<void> {
    const { traffic } = this.#options;
    await inTime(traffic.prunePermitWindows(traffic.steadyNow()), WORK_PATIENCE_MS);
    await inTime(traffic.pruneQuotaRecords(traffic.steadyNow()), WORK_PATIENCE_MS);
    await inTime(traffic.pruneQueueRecords(traffic.steadyNow()), WORK_PATIENCE_MS);
  }

  /** Gives back what is held, and writes the rest. */
  async close(): Promise<void> {
    await this.fairQueue.close();
    await this.limiter.close();
    await this.ledger.close();
    await this.guessLimit.close();
  }
}
