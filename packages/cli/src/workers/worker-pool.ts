import { setTimeout as delay } from "node:timers/promises";
import type { TrafficStore } from "@aigw/core";
import { AigwError, isStoreFault } from "@aigw/core/errors";
import type { WorkerMetrics } from "@aigw/runtime/workers";
import { systemCodeOf } from "../app/listen-error.ts";
import { HandedConnections } from "./handed-connections.ts";
import type { WorkerJob } from "./messages.ts";
import type { PrimaryLog } from "./primary-log.ts";
import { RestartDelay } from "./restart-delay.ts";
import { SharedListener } from "./shared-listener.ts";
import { type Listening, type WorkerExit, WorkerProcess } from "./worker-process.ts";
import { WorkerWatch } from "./worker-watch.ts";

export interface WorkerPoolOptions {
  /** How many. */
  readonly workers: number;
  /** What all of them serve. */
  readonly job: Omit<WorkerJob, "worker">;
  readonly traffic: TrafficStore;
  readonly log: PrimaryLog;
}

export interface RunningWorker extends Listening {
  readonly worker: number;
  readonly pid: number;
}

/** Workers listen a little longer, and take what was accepted until then. */
const LAME_DUCK_MS = 500;
/** Beyond the drain time: the lame duck, usage for a store that is locked, a thread that is told to stop. */
const END_MS = 10_000;
/** With nothing to wait for. */
const END_AT_ONCE_MS = 3_000;
const METRICS_MS = 1_000;
/** A store that is locked is asked again; later nobody waits for the instance any more. */
const RETIRE_MS = 10_000;
const RETIRE_AGAIN_MS = 250;

interface Place {
  readonly number: number;
  readonly delay: RestartDelay;
  process: WorkerProcess | undefined;
  timer?: NodeJS.Timeout;
}

/** So many processes of one gateway: started together, replaced one by one when they die, ended together. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #connections = new HandedConnections();
  readonly #listener = new SharedListener();
  readonly #places: readonly Place[];
  readonly #started = Promise.withResolvers<void>();
  readonly #retiring = new Set<Promise<void>>();
  readonly #watch = new WorkerWatch<WorkerProcess>(
    () => this.#running(),
    (process, silentMs) => this.#endHung(process, silentMs),
  );
  #restarts = 0;
  #ending = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#places = Array.from({ length: options.workers }, (_, index) => ({
      number: index + 1,
      delay: new RestartDelay(),
      process: undefined,
    }));
  }

  /** How many workers died and had to be replaced. */
  get restarts(): number {
    return this.#restarts;
  }

  /** @returns when all of them listen. @throws what the first that failed failed of; none is left running then */
  async start(): Promise<readonly RunningWorker[]> {
    this.#listener.watch();
    try {
      const processes = this.#places.map((place) => this.#open(place));
      const running = await Promise.all(
        processes.map(async (process) => ({
          worker: process.number,
          pid: process.pid ?? 0,
          ...(await process.listening),
        })),
      );
      this.#started.resolve();
      this.#watch.start();
      return running;
    } catch (error) {
      await this.end({ atOnce: true }).catch(() => undefined);
      throw error;
    }
  }

  runs(gatewayId: string): boolean {
    return this.#running().some((process) => process.gatewayId === gatewayId);
  }

  reloadCertificate(): void {
    for (const process of this.#running()) process.tell({ type: "reload" });
  }

  /** Of those that answer within a second. */
  async metrics(): Promise<readonly WorkerMetrics[]> {
    const answers = await Promise.all(
      this.#running().map(async (process): Promise<readonly WorkerMetrics[]> => {
        const { gatewayId: id, number: worker } = process;
        const families = await process.metrics(METRICS_MS);
        return id === undefined || families === undefined ? [] : [{ id, worker, families }];
      }),
    );
    return answers.flat();
  }

  /**
   * Ends all of them; `atOnce` without waiting for calls under way. One that does not come to its end is killed.
   * @throws AigwError `failed` when one did not end in good order
   */
  async end({ atOnce = false }: { readonly atOnce?: boolean } = {}): Promise<void> {
    this.#ending = true;
    this.#watch.stop();
    for (const { timer } of this.#places) clearTimeout(timer);
    const longestMs = atOnce ? END_AT_ONCE_MS : this.#options.job.drainMs + END_MS;
    this.#listener.forget();
    const stopListening = setTimeout(() => void this.#listener.close(), LAME_DUCK_MS);
    const disorderly = (
      await Promise.all(this.#running().map((process) => this.#endOne(process, atOnce, longestMs)))
    ).filter((how) => how !== undefined);
    clearTimeout(stopListening);
    await Promise.all(this.#retiring);
    if (disorderly.length === 0) return;
    throw new AigwError("failed", `Not all ended in good order: ${disorderly.join("; ")}. See the log.`);
  }

  /** For a process that exits now: nothing of it stays behind. */
  killAll(): void {
    for (const process of this.#running()) process.kill();
  }

  #running(): readonly WorkerProcess[] {
    return this.#places.flatMap(({ process }) => (process?.isRunning ? [process] : []));
  }

  #open(place: Place): WorkerProcess {
    const { workers, job } = this.#options;
    const process = new WorkerProcess({ ...job, worker: { number: place.number, of: workers } }, this.#connections);
    place.process = process;
    // One that dies while others start is replaced once all have; or all end, because it did not listen.
    void Promise.all([process.exited, this.#started.promise]).then(([exit]) => this.#replace(place, process, exit));
    return process;
  }

  async #replace(place: Place, process: WorkerProcess, exit: WorkerExit): Promise<void> {
    if (this.#ending) return;
    const reason = await failureOf(process);
    this.#restarts += 1;
    const waitMs = place.delay.next(performance.now() - process.startedAt);
    this.#options.log(
      "error",
      { of: process.number, pid: process.pid, instance: process.gatewayId, ...exit, reason, restartInMs: waitMs },
      "a worker ended unexpectedly; another takes its place",
    );
    this.#retire(process);
    this.#reopenIn(place, waitMs);
  }

  /** Its end is what brings another: it has no chance to store what it holds, and would not take one. */
  #endHung(process: WorkerProcess, silentMs: number): void {
    const { number: of, pid, gatewayId: instance } = process;
    this.#options.log("error", { of, pid, instance, silentMs }, "a worker hangs, and is killed");
    process.kill();
  }

  #reopenIn(place: Place, waitMs: number): void {
    if (waitMs > 0) {
      place.timer = setTimeout(() => this.#reopenIn(place, 0), waitMs);
      return;
    }
    try {
      const process = this.#open(place);
      const { number: of, pid } = process;
      process.listening.then(
        ({ id }) => this.#options.log("info", { of, pid, instance: id }, "a worker has taken the place"),
        // Its exit is reported with the reason.
        () => undefined,
      );
    } catch (error) {
      // No memory, no process to be had.
      const restartInMs = Math.max(1, place.delay.next(0));
      const reason = systemCodeOf(error) ?? "internal";
      this.#options.log("error", { of: place.number, reason, restartInMs }, "a worker could not be started");
      this.#reopenIn(place, restartInMs);
    }
  }

  /** @returns which it was and how it ended, unless in good order */
  async #endOne(process: WorkerProcess, atOnce: boolean, longestMs: number): Promise<string | undefined> {
    let hung = false;
    process.tell({ type: "end", atOnce });
    const late = new AbortController();
    const timeout = delay(longestMs, undefined, { signal: late.signal }).then(
      () => {
        hung = process.isRunning;
        process.kill();
      },
      () => undefined,
    );
    const { code, signal } = await process.exited;
    late.abort();
    await timeout;
    // One that never listened has nothing that could be lost.
    if (code === 0 || process.gatewayId === undefined) return undefined;
    const { number, pid, gatewayId } = process;
    const fields = {
      of: number,
      pid,
      instance: gatewayId,
      code,
      signal,
      ...(hung ? { killedAfterMs: longestMs } : {}),
    };
    this.#options.log("error", fields, "a worker did not end in good order");
    this.#retire(process);
    const ended = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
    const how = hung ? `hung, and was killed after ${longestMs / 1_000} s` : ended;
    return `worker ${number} (process ${pid}, ${gatewayId}) ${how}`;
  }

  /** Nobody is to wait for the dead. */
  #retire({ gatewayId }: WorkerProcess): void {
    if (gatewayId === undefined) return;
    const retiring = this.#tryToRetire(gatewayId).finally(() => this.#retiring.delete(retiring));
    this.#retiring.add(retiring);
  }

  async #tryToRetire(gatewayId: string): Promise<void> {
    const until = performance.now() + RETIRE_MS;
    for (;;) {
      try {
        await this.#options.traffic.retireInstance(gatewayId);
        return;
      } catch (error) {
        if (performance.now() > until || this.#ending) {
          const reason = isStoreFault(error) ? error.message : "internal";
          this.#options.log("error", { instance: gatewayId, reason }, "a dead worker could not be struck off");
          return;
        }
      }
      await delay(RETIRE_AGAIN_MS);
    }
  }
}

/** Why it never listened; nothing when it did. */
const failureOf = (process: WorkerProcess): Promise<string | undefined> =>
  process.listening.then(
    () => undefined,
    (error: unknown) => (error instanceof AigwError ? error.message : "internal"),
  );
