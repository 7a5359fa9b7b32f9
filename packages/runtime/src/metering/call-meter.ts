import type { Clock, Outcome, UsageEvent } from "@aigw/core";
import type { Fault } from "@aigw/core/services";
import type { CallStats } from "./call-stats.ts";
import type { UsageRecorder } from "./usage-recorder.ts";

/** A request whose usage is being measured. */
export interface Metered {
  /** Set by {@link CallMeter.begin}: wall clock and monotonic milliseconds. */
  at: number;
  start: number;
  readonly method: string;
  readonly path: string;
  readonly service: string;
  readonly requestId: string;
}

/** How it ended. */
export interface Ended {
  readonly outcome: Outcome;
  readonly status: number;
  readonly upstreamMs?: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Why there was no whole answer, and for the log only what the system said. */
  readonly fault?: Fault;
  readonly error?: Error;
}

/** A path longer than this is cut in the record: it is a client's to choose, and the log's to hold. */
const MAX_PATH = 512;

export interface CallMeterOptions {
  readonly clock: Clock;
  readonly recorder: UsageRecorder;
  readonly stats: CallStats;
  readonly instanceId: string;
  readonly onRequest: () => void;
  /** Why a call was answered with 502 or 504, or broken off by the upstream. */
  readonly onFault: (call: Pick<Metered, "requestId" | "service">, fault: Fault, error: Error | undefined) => void;
}

/** Turns requests into usage events. */
export class CallMeter {
  readonly #clock: Clock;
  readonly #recorder: UsageRecorder;
  readonly #instanceId: string;
  readonly #onRequest: () => void;
  readonly #onFault: CallMeterOptions["onFault"];
  readonly #stats: CallStats;
  #count = 0;

  constructor(options: CallMeterOptions) {
    this.#clock = options.clock;
    this.#recorder = options.recorder;
    this.#instanceId = options.instanceId;
    this.#onRequest = options.onRequest;
    this.#onFault = options.onFault;
    this.#stats = options.stats;
  }

  begin(metered: Metered): void {
    this.#onRequest();
    metered.at = this.#clock.now();
    metered.start = this.#clock.monotonic();
  }

  end(metered: Metered, client: string, ended: Ended): void {
    this.#count += 1;
    if (ended.fault !== undefined) this.#onFault(metered, ended.fault, ended.error);
    const { at, start, method, path, service, requestId } = metered;
    const latencyMs = round(this.#clock.monotonic() - start);
    this.#stats.of(service).record(ended.outcome, ended.status, latencyMs, ended.upstreamMs);
    const event: UsageEvent = {
      id: `${this.#instanceId}.${this.#count.toString(36)}`,
      at,
      client,
      service: /^[a-z0-9][a-z0-9-]{0,31}$/.test(service) ? service : "",
      method,
      path: path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path,
      status: ended.status,
      latencyMs,
      bytesIn: ended.bytesIn,
      bytesOut: ended.bytesOut,
      requestId,
      outcome: ended.outcome,
      ...(ended.fault && { reason: ended.fault }),
    };
    this.#recorder.record(ended.upstreamMs === undefined ? event : { ...event, upstreamMs: round(ended.upstreamMs) });
  }
}

const round = (ms: number): number => Math.round(ms * 100) / 100;
