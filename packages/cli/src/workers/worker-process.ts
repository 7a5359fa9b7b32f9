import cluster, { type Worker } from "node:cluster";
import { setTimeout as delay } from "node:timers/promises";
import { AigwError } from "@aigw/core/errors";
import type { MetricFamily } from "@aigw/runtime/workers";
import { errorOf } from "./failure.ts";
import type { HandedConnections } from "./handed-connections.ts";
import type { FromWorker, ToWorker, WorkerJob } from "./messages.ts";

export interface WorkerExit {
  /** Null when a signal ended it, and when it could not be started. */
  readonly code: number | null;
  readonly signal: string | null;
}

export interface Listening {
  /** The gateway's id. */
  readonly id: string;
  readonly url: string;
}

// Built, the worker's file has another ending, which no import here would be rewritten for.
const ENDING = import.meta.url.endsWith(".ts") ? "ts" : "js";
const WORKER_FILE = `${import.meta.dirname}/worker-main.${ENDING}`;

/** A worker as the primary sees it: from its fork to its exit. */
export class WorkerProcess {
  readonly number: number;
  readonly startedAt: number = performance.now();
  /** @throws AigwError what it failed of, or that it ended before it listened; an Error for a bug */
  readonly listening: Promise<Listening>;
  /** Never rejects. */
  readonly exited: Promise<WorkerExit>;
  readonly #worker: Worker;
  readonly #requests = new Map<number, (families: readonly MetricFamily[]) => void>();
  #request = 0;
  #lives = true;
  #gateway: Listening | undefined;
  #exit: WorkerExit | undefined;

  constructor(job: WorkerJob, connections: HandedConnections) {
    this.number = job.worker.number;
    cluster.setupPrimary({
      exec: WORKER_FILE,
      args: [],
      // Metrics hold values that JSON cannot.
      serialization: "advanced",
      // A stray line must not get into the answer on stdout.
      stdio: ["ignore", 2, 2, "ipc"],
    });
    this.#worker = cluster.fork();
    connections.watch(this.#worker);
    const listening = Promise.withResolvers<Listening>();
    const exited = Promise.withResolvers<WorkerExit>();
    const onExit = (code: number | null, signal: string | null): void => {
      this.#exit = { code, signal };
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
      listening.reject(
        new AigwError("failed", `Worker ${this.number} ended ${how} before it listened. Its log may say why.`),
      );
      exited.resolve(this.#exit);
    };
    this.#worker.on("exit", onExit);
    // Unlistened, the event would end the primary: a message to a worker that is just gone, or no process to be had.
    this.#worker.on("error", () => {
      if (this.#worker.process.pid === undefined) onExit(null, null);
    });
    this.#worker.on("message", (message: FromWorker) => {
      this.#lives = true;
      if (message.type === "listening") {
        this.#gateway = message;
        listening.resolve(message);
      } else if (message.type === "failed") listening.reject(errorOf(message.failure));
      else if (message.type === "metrics") this.#requests.get(message.request)?.(message.families);
    });
    this.listening = listening.promise;
    this.listening.catch(() => undefined);
    this.exited = exited.promise;
    this.tell({ type: "start", job });
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  /** Known once it listens. */
  get gatewayId(): string | undefined {
    return this.#gateway?.id;
  }

  get isRunning(): boolean {
    return this.#exit === undefined;
  }

  /** @returns whether it has said anything since this was asked last */
  takeLifeSign(): boolean {
    const lives = this.#lives;
    this.#lives = false;
    return lives;
  }

  tell(message: ToWorker): void {
    if (this.#worker.isConnected()) this.#worker.send(message, () => undefined);
  }

  /** @returns undefined when it does not answer within `timeoutMs` */
  async metrics(timeoutMs: number): Promise<readonly MetricFamily[] | undefined> {
    if (!this.isRunning || this.#gateway === undefined) return undefined;
    this.#request += 1;
    const request = this.#request;
    const { promise, resolve } = Promise.withResolvers<readonly MetricFamily[]>();
    this.#requests.set(request, resolve);
    this.tell({ type: "metrics", request });
    const late = new AbortController();
    try {
      return await Promise.race([promise, delay(timeoutMs, undefined, { signal: late.signal })]);
    } finally {
      late.abort();
      this.#requests.delete(request);
    }
  }

  kill(): void {
    if (this.isRunning) this.#worker.process.kill("SIGKILL");
  }
}
