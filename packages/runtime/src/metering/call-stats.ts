import type { UsageEvent } from "@aigw/core";
import { OUTCOMES, type Outcome } from "@aigw/core/usage";
import { CALL_BOUNDS, Histogram } from "./histogram.ts";

/** By the first digit of the status; `none`: the client had gone before there was one. */
export const STATUS_CLASSES = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;

/** Calls of services that do not exist; no service can have this name. */
export const NO_SERVICE = "_none";

/** What is counted of one service's calls. */
export class ServiceStats {
  /** Calls by outcome, and in it by status class. */
  readonly calls: Readonly<Record<Outcome, number[]>>;
  /** From arrival to the end of the answer, of calls that were admitted. */
  readonly duration: Histogram = new Histogram(CALL_BOUNDS);
  /** From dispatch to the upstream's response headers. */
  readonly upstream: Histogram = new Histogram(CALL_BOUNDS);
  /** How long calls waited for their service to have room, of those that did. */
  readonly queued: Histogram = new Histogram(CALL_BOUNDS);
  /** Of those that were refused: by a quota, and because the service had no room. */
  overQuota = 0;
  turnedAway = 0;
  /** What calls were worth, by the units that its meters have, and what they cost; in millionths. */
  readonly units: Map<string, number> = new Map();
  cost = 0;

  constructor() {
    this.calls = Object.fromEntries(
      OUTCOMES.map((outcome) => [outcome, Array<number>(STATUS_CLASSES.length).fill(0)]),
    ) as Record<Outcome, number[]>;
  }

  record(outcome: Outcome, status: number, latencyMs: number, upstreamMs: number | undefined): void {
    const byClass = this.calls[outcome];
    const index = Math.trunc(status / 100);
    byClass[index] = (byClass[index] ?? 0) + 1;
    if (outcome !== "denied" && outcome !== "limited") this.duration.observe(latencyMs);
    if (upstreamMs !== undefined) this.upstream.observe(upstreamMs);
  }

  recordWorth({ units, cost }: Pick<UsageEvent, "units" | "cost">): void {
    for (const unit in units) this.units.set(unit, (this.units.get(unit) ?? 0) + (units[unit] ?? 0));
    this.cost += cost ?? 0;
  }
}

/** Plain counters in memory: what a scrape costs, it costs then, and a call next to nothing. */
export class CallStats {
  readonly #services = new Map<string, ServiceStats>();
  readonly #isService: (name: string) => boolean;

  /** @param isService a name that a client made up must not become a time series */
  constructor(isService: (name: string) => boolean) {
    this.#isService = isService;
  }

  of(service: string): ServiceStats {
    const known = this.#services.get(service);
    if (known !== undefined) return known;
    if (service !== NO_SERVICE && !this.#isService(service)) return this.of(NO_SERVICE);
    const stats = new ServiceStats();
    this.#services.set(service, stats);
    return stats;
  }

  entries(): Iterable<readonly [string, ServiceStats]> {
    return this.#services.entries();
  }
}
