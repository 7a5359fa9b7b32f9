import type { Clock, Outcome, TokenEnd, UsageEvent } from "@aigw/core";
import type { Fault } from "@aigw/core/services";
import type { Reading } from "../meters/reading.ts";
import { type Costs, SERVICE_SECONDS, serviceSeconds } from "./call-cost.ts";
import type { CallStats } from "./call-stats.ts";
import { ModelNames } from "./model-names.ts";
import { Refusals } from "./refusals.ts";
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
  /** The client's, where it is on one. */
  readonly plan?: string | undefined;
  /** How long it waited for its service to have room, where it did, milliseconds. */
  readonly queuedMs?: number | undefined;
  /** A quota of the client counts how long services take. */
  readonly countsTime?: boolean;
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
  /** The service that took the call in place of the one that was called. */
  readonly fallback?: string;
  /** From dispatch to the end, milliseconds. */
  readonly serviceMs?: number;
  /** What it was worth, and how long after its end this is told, milliseconds. */
  readonly reading?: Reading;
  readonly lateMs?: number;
  /** Why the token was refused, or the call. */
  readonly refusal?: TokenEnd | "quota_exceeded" | "service_busy";
}

/** A path longer than this is cut in the record: it is a client's to choose, and the log's to hold. */
const MAX_PATH = 512;

export interface CallMeterOptions {
  readonly clock: Clock;
  readonly recorder: Pick<UsageRecorder, "record">;
  readonly stats: CallStats;
  readonly instanceId: string;
  /** A name that a client made up must not be kept for good. */
  readonly isService: (name: string) => boolean;
  readonly costs: Pick<Costs, "of" | "countsTime">;
  readonly onRequest: () => void;
  /** An event was handed to the recorder: fewer than requests. */
  readonly onEvent: () => void;
  /** Why a call was answered with 502 or 504, or broken off by the upstream. */
  readonly onFault: (call: Pick<Metered, "requestId" | "service">, fault: Fault, error: Error | undefined) => void;
}

/** Turns requests into usage events. */
export class CallMeter {
  readonly #clock: Clock;
  readonly #record: (event: UsageEvent) => void;
  readonly #refusals: Refusals;
  readonly #isService: (name: string) => boolean;
  readonly #instanceId: string;
  readonly #onRequest: () => void;
  readonly #onFault: CallMeterOptions["onFault"];
  readonly #stats: CallStats;
  readonly #costs: CallMeterOptions["costs"];
  readonly #models = new ModelNames();
  #count = 0;

  constructor(options: CallMeterOptions) {
    this.#clock = options.clock;
    this.#record = (event) => {
      options.onEvent();
      options.recorder.record(event);
    };
    this.#refusals = new Refusals((event) => this.#record({ ...event, id: this.#nextId() }));
    this.#isService = options.isService;
    this.#instanceId = options.instanceId;
    this.#onRequest = options.onRequest;
    this.#onFault = options.onFault;
    this.#stats = options.stats;
    this.#costs = options.costs;
  }

  begin(metered: Metered): void {
    this.#onRequest();
    metered.at = this.#clock.now();
    metered.start = this.#clock.monotonic();
  }

  /** @returns what was recorded of a call that was let in */
  end(metered: Metered, client: string, ended: Ended): UsageEvent {
    if (ended.fault !== undefined) this.#onFault(metered, ended.fault, ended.error);
    const { at, start, method, path, service, requestId } = metered;
    const { outcome } = ended;
    const now = this.#clock.monotonic();
    const latencyMs = round(now - start - (ended.lateMs ?? 0));
    // What was forwarded went to a service, which may have been removed since.
    const refused = outcome === "denied" || outcome === "limited";
    const stats = this.#stats.of(service);
    stats.record(outcome, ended.status, latencyMs, ended.upstreamMs);
    if (ended.refusal === "quota_exceeded") stats.overQuota += 1;
    if (ended.refusal === "service_busy") stats.turnedAway += 1;
    if (metered.queuedMs !== undefined) stats.queued.observe(metered.queuedMs);
    const by = ended.fallback ?? service;
    const cost = refused ? undefined : this.#costs.of(by, ended);
    // A sum for every service would be a row more for each; see docs/decisions/099-service-seconds.md.
    const isPriced = cost !== undefined && this.#costs.countsTime(by, ended);
    const countsTime = isPriced || (!refused && metered.countsTime === true);
    const event: UsageEvent = {
      // Refused calls have one when they are recorded, alone or gathered: numbers are without gaps, see usage-seal.ts.
      id: refused ? "" : this.#nextId(),
      at,
      client,
      service: refused && !this.#isService(service) ? "" : service,
      method,
      path: path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path,
      status: ended.status,
      latencyMs,
      ...(metered.queuedMs !== undefined && { queuedMs: round(metered.queuedMs) }),
      bytesIn: ended.bytesIn,
      bytesOut: ended.bytesOut,
      requestId,
      outcome,
      ...(ended.fallback !== undefined && { fallback: ended.fallback }),
      ...(ended.fault && { reason: ended.fault }),
      ...(ended.reading && this.#worthOf(ended.reading, client, service, at)),
      ...(countsTime && {
        units: { ...ended.reading?.units, [SERVICE_SECONDS]: serviceSeconds(ended.serviceMs ?? 0) },
      }),
      ...(cost !== undefined && { cost }),
      ...(metered.plan !== undefined && { plan: metered.plan }),
    };
    if (ended.reading !== undefined || cost !== undefined || countsTime) stats.recordWorth(event);
    if (refused) this.#refusals.take(ended.refusal === undefined ? event : { ...event, reason: ended.refusal }, now);
    else this.#record(ended.upstreamMs === undefined ? event : { ...event, upstreamMs: round(ended.upstreamMs) });
    return event;
  }

  #worthOf(
    { units, metered, from, model, problem }: Reading,
    client: string,
    service: string,
    at: number,
  ): Partial<UsageEvent> {
    return {
      units,
      metered,
      ...(from !== undefined && { from }),
      ...(model !== undefined && { model: this.#models.nameOf(client, service, model, at) }),
      ...(problem !== undefined && { unread: problem }),
    };
  }

  #nextId(): string {
    this.#count += 1;
    return `${this.#instanceId}.${this.#count.toString(36)}`;
  }

  /** Hands over what is gathered: at the end, before the recorder is closed. */
  flush(): void {
    this.#refusals.flush();
  }

  /** Forgets clients that were refused more than a minute ago. */
  prune(): void {
    this.#refusals.prune(this.#clock.monotonic());
  }
}

const round = (ms: number): number => Math.round(ms * 100) / 100;
