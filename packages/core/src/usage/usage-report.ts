import { bucketOf, LATENCY_BUCKETS, quantile } from "./latency-buckets.ts";
import type { Outcome, UsageEvent, UsageFilter } from "./usage-event.ts";
import { addWorth, COST, WORTH_COUNTS, type Worth, type WorthCounts, worthCountsOf, worthOf } from "./worth.ts";

/** What a report can have a row for each of. Hours, days, weeks (from Monday) and months are those of UTC. */
export type UsageKey = "client" | "service" | "status" | "hour" | "day" | "week" | "month" | "model" | "plan";

export const USAGE_KEYS: readonly UsageKey[] = [
  "client",
  "service",
  "status",
  "hour",
  "day",
  "week",
  "month",
  "model",
  "plan",
];

export interface UsageReportQuery {
  /** A row for every combination; none: one row for all. */
  readonly by: readonly UsageKey[];
  /** `since` ≤ at < `until`; without `until` everything up to the newest. */
  readonly filter: UsageFilter;
  readonly until?: number;
}

/** What a number of calls came to. */
export interface UsageTally {
  requests: number;
  /** `upstream_error`, `timeout` and `incomplete`: the service's fault. */
  errors: number;
  limited: number;
  /** `denied`, and `revoked` mid-stream. */
  denied: number;
  /** The client left. */
  aborted: number;
  bytesIn: number;
  bytesOut: number;
  /** Calls that were let through to a service: what the latency is of. A refusal takes no time and would hide it. */
  timed: number;
  /** Sum over those, milliseconds. */
  latencyMs: number;
  /** How many of those fell into each bucket of {@link LATENCY_BOUNDS}. */
  latencies: number[];
  /** Requests that had a price, and of services with a meter or prices that had none. */
  priced: number;
  unpriced: number;
  /** Requests that a meter looked at; of those, the ones that it read nothing from, and the ones that it estimated. */
  metered: number;
  unread: number;
  estimated: number;
  /** Sum over the priced ones, millionths of the currency. */
  cost: bigint;
  /** What they were worth by unit, in millionths; only units that were read. */
  units: Worth;
}

export interface UsageRow {
  /** In the order of `by`; a period as its start, milliseconds since the epoch; empty for no model, no plan. */
  readonly key: readonly (string | number)[];
  readonly tally: UsageTally;
}

export interface UsageReport {
  /**
   * The period that the rows are exact for: what was asked for, but for a time whose single events have been pruned.
   * There whole days are left, so that it starts (and ends) with a day; by hour, it starts where hours still are.
   */
  readonly since: number;
  /** Undefined: up to the newest. */
  readonly until: number | undefined;
  /** In no particular order. */
  readonly rows: readonly UsageRow[];
}

export const emptyTally = (): UsageTally => ({
  requests: 0,
  errors: 0,
  limited: 0,
  denied: 0,
  aborted: 0,
  bytesIn: 0,
  bytesOut: 0,
  timed: 0,
  latencyMs: 0,
  latencies: Array<number>(LATENCY_BUCKETS).fill(0),
  priced: 0,
  unpriced: 0,
  metered: 0,
  unread: 0,
  estimated: 0,
  cost: 0n,
  units: new Map(),
});

/** Calls of one outcome, as an engine has them. */
export interface CountedCalls extends WorthCounts {
  readonly outcome: Outcome;
  readonly requests: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly latencyMs: number;
}

/** What a call is counted as beside being one. */
export type CallKind = "errors" | "limited" | "denied" | "aborted";

const KINDS: Readonly<Record<Outcome, CallKind | undefined>> = {
  ok: undefined,
  denied: "denied",
  revoked: "denied",
  limited: "limited",
  upstream_error: "errors",
  timeout: "errors",
  incomplete: "errors",
  aborted: "aborted",
};

/** Undefined for an answered call; a later version may have stored an outcome that this one does not know. */
export const callKind = (outcome: Outcome): CallKind | undefined => KINDS[outcome];

/** False for calls refused before they reached a service. */
export const isTimed = (outcome: Outcome): boolean => outcome !== "denied" && outcome !== "limited";

/** Adds all of `calls` but their latency buckets and what they were worth. */
export const addCalls = (tally: UsageTally, calls: CountedCalls): void => {
  tally.requests += calls.requests;
  tally.bytesIn += calls.bytesIn;
  tally.bytesOut += calls.bytesOut;
  for (const name of WORTH_COUNTS) tally[name] += calls[name];
  const kind = callKind(calls.outcome);
  if (kind !== undefined) tally[kind] += calls.requests;
  if (!isTimed(calls.outcome)) return;
  tally.timed += calls.requests;
  tally.latencyMs += calls.latencyMs;
};

/** All of a single event. */
export const addEvent = (tally: UsageTally, event: UsageEvent): void => {
  const { count: requests = 1, latencyMs, outcome } = event;
  const [priced = 0, unpriced = 0, metered = 0, unread = 0, estimated = 0] = worthCountsOf(event);
  const counts = { priced, unpriced, metered, unread, estimated };
  addCalls(tally, { ...event, ...counts, requests, latencyMs: latencyMs * requests });
  for (const [name, value] of worthOf(event)) addWorthTo(tally, name, BigInt(value));
  const bucket = bucketOf(latencyMs);
  if (isTimed(outcome)) tally.latencies[bucket] = (tally.latencies[bucket] ?? 0) + requests;
};

/** @param name a unit, or {@link COST} */
export const addWorthTo = (tally: UsageTally, name: string, sum: bigint): void => {
  if (name === COST) tally.cost += sum;
  else addWorth(tally.units, name, sum);
};

export const sumTallies = (tallies: Iterable<UsageTally>): UsageTally => {
  const sum = emptyTally();
  for (const tally of tallies) {
    for (const field of SUMMED) sum[field] += tally[field];
    for (const [index, count] of tally.latencies.entries()) sum.latencies[index] = (sum.latencies[index] ?? 0) + count;
    sum.cost += tally.cost;
    for (const [name, value] of tally.units) addWorth(sum.units, name, value);
  }
  return sum;
};

const SUMMED = [
  "requests",
  "errors",
  "limited",
  "denied",
  "aborted",
  "bytesIn",
  "bytesOut",
  "timed",
  "latencyMs",
  ...WORTH_COUNTS,
] as const;

/** Milliseconds; undefined when no call reached a service. */
export const latencyOf = (
  tally: UsageTally,
): { readonly mean: number; readonly p50: number; readonly p95: number } | undefined => {
  const [p50, p95] = [quantile(tally.latencies, 0.5), quantile(tally.latencies, 0.95)];
  if (tally.timed === 0 || p50 === undefined || p95 === undefined) return undefined;
  return { mean: tally.latencyMs / tally.timed, p50, p95 };
};
