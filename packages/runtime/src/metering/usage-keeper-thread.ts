// The thread of UsageKeeper.
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "@aigw/core/clock";
import { type ErrorCode, isStoreFault } from "@aigw/core/errors";
import { type OpenedStore, openStore } from "@aigw/core/store";
import { keepUsage } from "@aigw/core/usage";

export interface KeeperJob {
  readonly storeUrl: string;
  /** A store in files, with one writer at a time. */
  readonly isEmbedded: boolean;
}

/** To sum up and to drop once more, or to end. */
export type KeeperTask = { readonly before: number | undefined } | "stop";

export interface KeeperReport {
  readonly pruned: number;
  /** There is more to do, soon. */
  readonly more: boolean;
  /** Errors do not cross threads with their class. */
  readonly fault?: { readonly code: ErrorCode; readonly message: string };
}

/**
 * There is one writer at a time, and a gateway's requests write their permits. Summing up comes in short bursts and must
 * keep pace with the calls; dropping may go on for hours, so that not one request in a hundred meets it. Where it shares
 * a core with whoever serves calls, a step that ends within a millisecond is one that calls hardly notice: the system
 * takes the core from neither before four have passed.
 */
const EMBEDDED = { shares: { fold: 0.05, behind: 0.3, prune: 0.005 }, foldSlice: 500 };
/** A store behind a network keeps nobody waiting meanwhile, and each of its steps takes some round trips. */
const REMOTE = { shares: { fold: 0.2, behind: 0.5, prune: 0.1 }, pruneSlice: 2_000 };
const LONGEST_MS = { fold: 300_000, prune: 30_000 };
const CHECKPOINT_MS = 100;

const { storeUrl, isEmbedded } = workerData as KeeperJob;
const stop = new AbortController();
let store: OpenedStore | undefined;
let kept: Promise<void> = Promise.resolve();

const keep = async (before: number | undefined): Promise<KeeperReport> => {
  try {
    store ??= await openStore(storeUrl, { clock: systemClock });
    const pace = isEmbedded ? EMBEDDED : REMOTE;
    const { signal } = stop;
    const result = await keepUsage({ traffic: store.traffic, before, ...pace, longestMs: LONGEST_MS, signal });
    if (!signal.aborted) await store.upkeep?.();
    return result;
  } catch (error) {
    if (!isStoreFault(error)) throw error;
    return { pruned: 0, more: false, fault: { code: error.code, message: error.message } };
  }
};

const checkpoints = setInterval(() => {
  try {
    store?.checkpoint?.();
  } catch (error) {
    // Whoever serves calls does it then, and says what is wrong with the store.
    if (!isStoreFault(error)) throw error;
  }
}, CHECKPOINT_MS);

const end = async (): Promise<void> => {
  stop.abort();
  clearInterval(checkpoints);
  await kept;
  await store?.close();
  // Listening would keep the thread.
  parentPort?.close();
};

parentPort?.on("message", (task: KeeperTask) => {
  if (task === "stop") {
    void end();
    return;
  }
  kept = kept.then(async () => parentPort?.postMessage(await keep(task.before)));
});
