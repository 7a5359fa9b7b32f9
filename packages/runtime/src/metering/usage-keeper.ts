import { Worker } from "node:worker_threads";
import { AigwError } from "@aigw/core/errors";
import { isEmbedded } from "@aigw/core/store";
import type { KeeperJob, KeeperReport, KeeperTask } from "./usage-keeper-thread.ts";

export interface UsageKeeperOptions {
  readonly storeUrl: string;
  /** How many gateways get about as many calls as the one that it is told of, that one included; 1 unless given. */
  readonly gateways?: number;
  /** Calls before it are to go, milliseconds since the epoch; undefined: none. */
  readonly before: () => number | undefined;
  readonly onKept: (pruned: number) => void;
  readonly onFault: (error: unknown) => void;
  /** After so long without many calls the thread ends, and gives its memory back; milliseconds, 30,000 unless given. */
  readonly calmMs?: number;
}

const LOOK_MS = 1_000;
/** So many calls not yet summed up make a report slower by a fifth of a second. */
const ENOUGH_CALLS = 50_000;
/** So many in a second fill the log of an embedded store within some seconds. */
const MANY_CALLS = 100;
/** So many times as long as it took, it rests: calls of many clients come to nearly as many sums, few or many of them. */
const REST = 9;
const CALM_MS = 30_000;
const LONGEST_MS = 600_000;
/** With a part of it at random: gateways that start together do not all work at once. */
const FIRST_MS = 60_000;
const STOP_MS = 1_000;

// Built, the thread's file has another ending, which no import here would be rewritten for.
const THREAD = new URL(`./usage-keeper-thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

/**
 * Sums up new calls for reports and drops old ones, now and then, in a thread of its own: no request waits for either.
 * While there are many calls on an embedded store the thread stays, and moves what they commit from the log to its place
 * (decision 104). What is left undone when the gateway ends is done by the next one; reports are exact all the same.
 */
export class UsageKeeper {
  readonly #options: UsageKeeperOptions;
  /** Since they were last summed up. */
  #calls = 0;
  #callsSeen = 0;
  #nextAt = 0;
  #restUntil = 0;
  #busyUntil = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #thread: Worker | undefined;
  #running: Promise<void> | undefined;

  constructor(options: UsageKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#nextAt = performance.now() + FIRST_MS * (1 + Math.random());
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  countCall(): void {
    this.#calls += 1;
  }

  #look(): void {
    const { gateways = 1, calmMs = CALM_MS } = this.#options;
    const now = performance.now();
    const lately = (this.#calls - this.#callsSeen) * gateways;
    this.#callsSeen = this.#calls;
    if (isEmbedded(this.#options.storeUrl) && lately >= (MANY_CALLS * LOOK_MS) / 1_000) this.#busyUntil = now + calmMs;
    const isDue = this.#calls * gateways >= ENOUGH_CALLS || now >= this.#nextAt;
    // A little often takes less of the core on end than much now and then.
    if (isDue || (this.#isBusy && this.#calls > 0 && now >= this.#restUntil)) void this.keep();
    else if (!this.#isBusy && this.#running === undefined) this.#end();
  }

  get #isBusy(): boolean {
    return performance.now() < this.#busyUntil;
  }

  /** Does now what there is to do; never rejects. */
  keep(): Promise<void> {
    const began = performance.now();
    this.#running ??= this.#keep()
      .catch(this.#options.onFault)
      .finally(() => {
        this.#running = undefined;
        const now = performance.now();
        this.#restUntil = now + (now - began) * REST;
        if (!this.#isBusy) this.#end();
      });
    return this.#running;
  }

  /** Breaks off between two steps. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#busyUntil = Number.NEGATIVE_INFINITY;
    const thread = this.#thread;
    if (thread === undefined) return;
    const ended = new Promise((exit) => thread.once("exit", exit));
    this.#end();
    const timeout = setTimeout(() => void thread.terminate(), STOP_MS);
    await ended;
    clearTimeout(timeout);
    await this.#running;
  }

  async #keep(): Promise<void> {
    this.#calls = 0;
    this.#callsSeen = 0;
    this.#nextAt = performance.now() + LONGEST_MS;
    this.#thread ??= this.#start();
    const thread = this.#thread;
    const { promise: answered, resolve } = Promise.withResolvers<KeeperReport | undefined>();
    const onExit = (): void => resolve(undefined);
    thread.once("message", resolve).once("exit", onExit);
    post(thread, { before: this.#options.before() });
    const report = await answered;
    thread.off("message", resolve).off("exit", onExit);
    if (report?.fault !== undefined) {
      // Opened anew the next time.
      this.#end();
      throw new AigwError(report.fault.code, report.fault.message);
    }
    if (report === undefined) return;
    this.#options.onKept(report.pruned);
    if (report.more) this.#nextAt = 0;
  }

  #start(): Worker {
    const { storeUrl } = this.#options;
    const workerData: KeeperJob = { storeUrl, isEmbedded: isEmbedded(storeUrl) };
    const thread = new Worker(THREAD, { workerData, name: "usage-keeper" });
    // It ends with it, and the next look starts another.
    thread.on("error", this.#options.onFault);
    thread.on("exit", () => {
      if (this.#thread === thread) this.#thread = undefined;
    });
    // Between two tasks it keeps no gateway from ending.
    thread.unref();
    return thread;
  }

  #end(): void {
    if (this.#thread !== undefined) post(this.#thread, "stop");
    this.#thread = undefined;
  }
}

const post = (thread: Worker, task: KeeperTask): void => thread.postMessage(task);
