import type { Clock, Instance, TrafficStore } from "@aigw/core";
import { inTime } from "@aigw/core/store";

const HEARTBEAT_MS = 1_000;
/** A store that is locked costs the thread its busy timeout at every try. */
const RETRY_MS = 250;
/** A report that is not answered is not the last one that can be sent. */
const REPORT_TIMEOUT_MS = 1_000;
const RATE_SECONDS = 10;

export interface ReporterOptions {
  readonly traffic: TrafficStore;
  readonly clock: Clock;
  readonly identity: Pick<Instance, "id" | "address" | "hostname" | "worker" | "pid" | "version">;
  /** What changes, asked for at every report. */
  readonly current: () => Pick<Instance, "state" | "appliedRev" | "droppedUsage" | "openFiles" | "untrustedForwarders">;
  readonly onFault: (error: unknown) => void;
}

/**
 * Tells the store that this gateway runs and which revision it has applied: what `revoke` waits for and `status` shows.
 * A report that fails is repeated, so that an acknowledgement is never lost, only late.
 */
export class InstanceReporter {
  readonly #options: ReporterOptions;
  readonly #startedAt: number;
  readonly #perSecond: number[] = [];
  #requests = 0;
  #second = 0;
  #timer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #faulty = false;
  #sending: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #retired = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  async start(): Promise<void> {
    this.#second = this.#options.clock.monotonic();
    await this.report();
    this.#timer = setInterval(() => {
      this.#closeSecond();
      void this.report();
    }, HEARTBEAT_MS);
  }

  countRequest(): void {
    this.#requests += 1;
  }

  /** One after the other: an older report that arrives later would take an acknowledgement back. */
  report(): Promise<void> {
    if (this.#sending === undefined) return this.#begin();
    this.#next ??= this.#sending.then(() => {
      this.#next = undefined;
      return this.#sending ?? this.#begin();
    });
    return this.#next;
  }

  #begin(): Promise<void> {
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #send(): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#retired) return;
    try {
      const report = this.#options.traffic.reportInstance({
        ...this.#options.identity,
        ...this.#options.current(),
        startedAt: this.#startedAt,
        requestsPerSecond: this.#rate(),
      });
      await inTime(report, REPORT_TIMEOUT_MS);
      this.#faulty = false;
    } catch (error) {
      if (!this.#faulty) this.#options.onFault(error);
      this.#faulty = true;
      this.#retry = setTimeout(() => void this.report(), RETRY_MS);
      this.#retry.unref();
    }
  }

  /** The gateway ends: nobody is to wait for it any more. */
  async retire(): Promise<void> {
    this.#retired = true;
    clearInterval(this.#timer);
    await this.#sending;
    clearTimeout(this.#retry);
    try {
      await inTime(this.#options.traffic.retireInstance(this.#options.identity.id), REPORT_TIMEOUT_MS);
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  #closeSecond(): void {
    const now = this.#options.clock.monotonic();
    this.#perSecond.push((this.#requests * 1000) / Math.max(1, now - this.#second));
    if (this.#perSecond.length > RATE_SECONDS) this.#perSecond.shift();
    this.#requests = 0;
    this.#second = now;
  }

  #rate(): number {
    if (this.#perSecond.length === 0) return 0;
    const mean = this.#perSecond.reduce((sum, rate) => sum + rate, 0) / this.#perSecond.length;
    return Math.round(mean * 10) / 10;
  }
}
