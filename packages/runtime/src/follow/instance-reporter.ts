import { setTimeout as delay } from "node:timers/promises";
import type { Clock, Instance, TrafficStore } from "@aigw/core";
import { AigwError, isAigwError, isStoreFault } from "@aigw/core/errors";
import type { Share } from "@aigw/core/limits";
import { inTime } from "@aigw/core/store";

const HEARTBEAT_MS = 1_000;
/** A store that is locked costs the thread its busy timeout at every try. */
const RETRY_MS = 250;
/** A report that is not answered is not the last one that can be sent. */
const REPORT_TIMEOUT_MS = 1_000;
const RATE_SECONDS = 10;
/** A database that elects another primary is back by then. */
const START_PATIENCE_MS = 5_000;
/**
 * A look at the others reads a record of each, and each of them looks: many look less often, so that the work of the
 * store grows with their number and not with its square. Every second up to twenty, every 50 s with a thousand.
 */
const LOOK_MS_PER_GATEWAY = 50;
/** Others not heard of for longer do not serve. */
const LEASE_MS = 10_000;

export interface ReporterOptions {
  readonly traffic: TrafficStore;
  readonly clock: Clock;
  readonly identity: Pick<
    Instance,
    "id" | "address" | "hostname" | "worker" | "pid" | "version" | "dumpsCore" | "maxStaleMs"
  >;
  /** What changes, asked for at every report. */
  readonly current: () => Pick<
    Instance,
    "state" | "appliedRev" | "droppedUsage" | "openFiles" | "untrustedForwarders" | "targets"
  >;
  readonly onFault: (error: unknown) => void;
}

/**
 * Tells the store that this gateway runs and which revision it has applied: what `revoke` waits for and `status` shows.
 * Learns from it who else does. A report that fails is repeated, so that an acknowledgement is never lost, only late.
 */
export class InstanceReporter {
  readonly #options: ReporterOptions;
  readonly #startedAt: number;
  readonly #perSecond: number[] = [];
  #requests = 0;
  #second = 0;
  #timer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #fault: unknown;
  #sending: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #retired = false;
  #share: Share = { of: 1, rank: 0 };
  /** Monotonic milliseconds. */
  #lookDueAt = 0;

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  /** @throws what keeps the first report from being made: a gateway that nobody knows of would be in no receipt */
  async start(): Promise<void> {
    this.#second = this.#options.clock.monotonic();
    const deadline = this.#second + START_PATIENCE_MS;
    await this.report();
    while (isAigwError(this.#fault, "store_unavailable") && this.#options.clock.monotonic() < deadline) {
      await delay(RETRY_MS);
      await this.report();
    }
    if (this.#fault !== undefined) throw unannounced(this.#fault);
    await this.#lookAround();
    this.#timer = setInterval(() => {
      this.#closeSecond();
      void this.report();
      if (this.#options.clock.monotonic() >= this.#lookDueAt) void this.#lookAround();
    }, HEARTBEAT_MS);
  }

  /** This gateway's part of what all that run share, as of the last look: for limits while the store is away. */
  get share(): Share {
    return this.#share;
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
      this.#fault = undefined;
    } catch (error) {
      if (this.#fault === undefined) this.#options.onFault(error);
      this.#fault = error;
      this.#retry = setTimeout(() => void this.report(), RETRY_MS);
      this.#retry.unref();
    }
  }

  async #lookAround(): Promise<void> {
    try {
      const seen = await inTime(this.#options.traffic.instances(LEASE_MS), REPORT_TIMEOUT_MS);
      const ids = seen.map(({ id }) => id).sort();
      // Half a beat early, or one that is due with a beat would wait for the next.
      this.#lookDueAt = this.#options.clock.monotonic() + ids.length * LOOK_MS_PER_GATEWAY - HEARTBEAT_MS / 2;
      const rank = ids.indexOf(this.#options.identity.id);
      if (rank >= 0) this.#share = { of: ids.length, rank };
    } catch (error) {
      // Those that ran a second ago most likely still do.
      if (!isStoreFault(error)) this.#options.onFault(error);
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

const unannounced = (fault: unknown): unknown => {
  if (!isStoreFault(fault)) return fault;
  const { code, message } = fault;
  return new AigwError(code, `The gateway cannot report that it runs, so no receipt would count it. ${message}`, {
    cause: fault,
  });
};
