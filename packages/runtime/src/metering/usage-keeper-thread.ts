// The thread of UsageKeeper.
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "@aigw/core/clock";
import { type ErrorCode, isStoreFault } from "@aigw/core/errors";
import { openStore } from "@aigw/core/store";
import { keepUsage } from "@aigw/core/usage";

export interface KeeperJob {
  readonly storeUrl: string;
  readonly before: number | undefined;
}

export interface KeeperReport {
  readonly pruned: number;
  /** There is more to do, soon. */
  readonly more: boolean;
  /** Errors do not cross threads with their class. */
  readonly fault?: { readonly code: ErrorCode; readonly message: string };
}

/**
 * There is one writer at a time, and a gateway's requests write their permits. Summing up comes in short bursts and must
 * keep pace with the calls; dropping may go on for hours, so that not one request in a hundred meets it.
 */
const SHARES = { fold: 0.05, behind: 0.3, prune: 0.005 };
/** A store behind a network keeps nobody waiting meanwhile, and each of its steps takes some round trips. */
const REMOTE = { shares: { fold: 0.2, behind: 0.5, prune: 0.1 }, pruneSlice: 2_000 };
const LONGEST_MS = { fold: 300_000, prune: 30_000 };

const work = async ({ storeUrl, before }: KeeperJob, signal: AbortSignal): Promise<KeeperReport> => {
  try {
    const store = await openStore(storeUrl, { clock: systemClock });
    try {
      const pace = /^sqlite:/i.test(storeUrl) ? { shares: SHARES } : REMOTE;
      const kept = await keepUsage({ traffic: store.traffic, before, ...pace, longestMs: LONGEST_MS, signal });
      if (!signal.aborted) await store.upkeep?.();
      return kept;
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!isStoreFault(error)) throw error;
    return { pruned: 0, more: false, fault: { code: error.code, message: error.message } };
  }
};

const stop = new AbortController();
parentPort?.once("message", () => stop.abort());
parentPort?.postMessage(await work(workerData as KeeperJob, stop.signal));
// Listening would keep the thread.
parentPort?.close();
