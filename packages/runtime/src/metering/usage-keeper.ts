import { Worker } from "node:worker_threads";
import { AigwError } from "@aigw/core/errors";
import type { KeeperJob, KeeperReport } from "./usage-keeper-thread.ts";

export interface UsageKeeperOptions {
  readonly storeUrl: string;
  /** How many gateways get about as many calls as the one that it is told of, that one included; 1 unless given. */
  readonly gateways?: number;
  /** Calls before it are to go, milliseconds since the epoch; undefined: none. */
  readonly before: () => number | undefined;
  readonly onKept: (pruned: number) => void;
  readonly onFault: (error: unknown) => void;
}

const LOOK_MS = 10_000;
/** So many calls not yet summed up make a report slower by a fifth of a second. */
const ENOUGH_CALLS = 50_000;
const LONGEST_MS = 600_000;
/** With a part of it at random: gateways that start together do not all work at once. */
const FIRST_MS = 60_000;
const STOP_MS = 1_000;

// Built, the thread's file has another ending, which no import here would be rewritten for.
const THREAD = new URL(`./usage-keeper-thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

/**
 * Sums up new calls for reports and drops old ones, now and then, in a thread of its own: no request waits for either.
 * What is left undone when the gateway ends is done by the next one; reports are exact all the same.
 */
export class UsageKeeper {
  readonly #options: UsageKeeperOptions;
  #calls = 0;
  #nextAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #worker: Worker | undefined;
  #running: Promise<void> | undefined;

  constructor(options: UsageKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#nextAt = performance.now() + FIRST_MS * (1 + Math.random());
    this.#timer = setInterval(() => {
      if (this.#calls * (this.#options.gateways ?? 1) >= ENOUGH_CALLS || performance.now() >= this.#nextAt)
        void this.keep();
    }, LOOK_MS);
    this.#timer.unref();
  }

  countCall(): void {
    this.#calls += 1;
  }

  /** Does now what there is to do; never rejects. */
  keep(): Promise<void> {
    this.#running ??= this.#work()
      .catch(this.#options.onFault)
      .finally(() => {
        this.#running = undefined;
        this.#worker = undefined;
      });
    return this.#running;
  }

  /** Breaks off between two steps. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const worker = this.#worker;
    if (worker === undefined) return;
    worker.postMessage("stop");
    const timeout = setTimeout(() => void worker.terminate(), STOP_MS);
    await this.#running;
    clearTimeout(timeout);
  }

  async #work(): Promise<void> {
    this.#calls = 0;
    this.#nextAt = performance.now() + LONGEST_MS;
    const before = this.#options.before();
    const workerData: KeeperJob = { storeUrl: this.#options.storeUrl, before };
    const worker = new Worker(THREAD, { workerData, name: "usage-keeper" });
    this.#worker = worker;
    const report = await new Promise<KeeperReport | undefined>((settle, reject) => {
      let said: KeeperReport | undefined;
      worker.on("message", (message: KeeperReport) => {
        said = message;
      });
      worker.on("error", reject);
      worker.on("exit", () => settle(said));
    });
    if (report?.fault !== undefined) throw new AigwError(report.fault.code, report.fault.message);
    if (report === undefined) return;
    this.#options.onKept(report.pruned);
    if (report.more) this.#nextAt = 0;
  }
}
