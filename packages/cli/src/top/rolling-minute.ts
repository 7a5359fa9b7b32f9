import type { ServiceFault, UsageEvent } from "@aigw/core";
import { countFaults } from "@aigw/core/insight";
import type { Units } from "@aigw/core/meters";
import { type CallKind, callKind, isTimed } from "@aigw/core/usage";

/** Seconds looked back. */
export const SPAN = 60;
const SECOND_MS = 1_000;

/** Calls of one client, one service, or all. */
export interface Stretch {
  readonly name: string;
  /** Mean over the span. */
  readonly perSecond: number;
  readonly requests: number;
  readonly errors: number;
  readonly limited: number;
  /** Of those: by a quota. */
  readonly overQuota: number;
  /** Token, service or permission refused. */
  readonly denied: number;
  /** Milliseconds, of calls let through to a service; undefined without any. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
  /** Calls in each second of the span, oldest first; the present one, which is not over, is left out. */
  readonly seconds: readonly number[];
  /** What they were worth, and cost; millionths. */
  readonly units: Units;
  readonly cost: number;
}

export interface Snapshot {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly all: Stretch;
  readonly clients: readonly Stretch[];
  readonly services: readonly Stretch[];
  /** Why services failed, most often first. */
  readonly faults: readonly ServiceFault[];
}

/** The events of the last minute. Costs memory by calls in a minute, time by the same once a snapshot. */
export class RollingMinute {
  #events: UsageEvent[] = [];

  add(events: readonly UsageEvent[]): void {
    for (const event of events) this.#events.push(event);
  }

  /** @param now milliseconds since the epoch */
  snapshot(now: number): Snapshot {
    const end = Math.floor(now / SECOND_MS) * SECOND_MS;
    const start = end - SPAN * SECOND_MS;
    this.#events = this.#events.filter((event) => event.at >= start);
    const past = this.#events.filter((event) => event.at < end);
    const named = (key: "client" | "service"): readonly Stretch[] =>
      [...Map.groupBy(past, (event) => event[key])].map(([name, events]) => stretchOf(name, events, start));
    return {
      at: now,
      all: stretchOf("all", past, start),
      clients: named("client"),
      services: named("service"),
      faults: countFaults(past),
    };
  }
}

const stretchOf = (name: string, events: readonly UsageEvent[], start: number): Stretch => {
  const seconds = Array<number>(SPAN).fill(0);
  let requests = 0;
  const kinds: Record<CallKind, number> = { errors: 0, limited: 0, denied: 0, aborted: 0 };
  const latencies: number[] = [];
  const units: Record<string, number> = {};
  let overQuota = 0;
  let cost = 0;
  for (const { at, outcome, latencyMs, count = 1, reason, units: worth = {}, cost: price } of events) {
    const second = Math.floor((at - start) / SECOND_MS);
    seconds[second] = (seconds[second] ?? 0) + count;
    requests += count;
    const kind = callKind(outcome);
    if (kind !== undefined) kinds[kind] += count;
    if (reason === "quota_exceeded") overQuota += count;
    for (const [unit, value] of Object.entries(worth)) units[unit] = (units[unit] ?? 0) + value;
    cost += price ?? 0;
    // Only refused calls are counted together.
    if (isTimed(outcome)) latencies.push(latencyMs);
  }
  latencies.sort((one, other) => one - other);
  return {
    name,
    perSecond: Math.round((requests / SPAN) * 10) / 10,
    requests,
    errors: kinds.errors,
    limited: kinds.limited,
    overQuota,
    denied: kinds.denied,
    p50: latencies[Math.ceil(latencies.length * 0.5) - 1],
    p99: latencies[Math.ceil(latencies.length * 0.99) - 1],
    seconds,
    units,
    cost,
  };
};
