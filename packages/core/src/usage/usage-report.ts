import { LATENCY_BUCKETS, quantile } from "./latency-buckets.ts";
import type { Outcome, UsageFilter } from "./usage-event.ts";

/** What a report can have a row for each of. Hours and days are those of UTC. */
export type UsageKey = "client" | "service" | "status" | "hour" | "day";

export const USAGE_KEYS: readonly UsageKey[] = ["client", "service", "status", "hour", "day"];

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
}

export interface UsageRow {
  /** In the order of `by`; `hour` and `day` as milliseconds since the epoch. */
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
});

/** Calls of one outcome, as an engine has them. */
export interface CountedCalls {
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

/** Adds all of `calls` but their latency buckets. */
export const addCalls = (tally: UsageTally, calls: CountedCalls): void => {
  tally.requests += calls.requests;
  tally.bytesIn += calls.bytesIn;
  tally.bytesOut += calls.bytesOut;
  const kind = callKind(calls.outcome);
  if (kind !== undefined) tally[kind] += calls.requests;
  if (!isTimed(calls.outcome)) return;
  tally.timed += calls.requests;
  tally.latencyMs += calls.latencyMs;
};

export const sumTallies = (tallies: Iterable<UsageTally>): UsageTally => {
  const sum = emptyTally();
  for (const tally of tallies) {
    for (const field of SUMMED) sum[field] += tally[field];
    for (const [index, count] of tally.latencies.entries()) sum.latencies[index] = (sum.latencies[index] ?? 0) + count;
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
] as const;

/** Milliseconds; undefined when no call reached a service. */
export const latencyOf = (
  tally: UsageTally,
): { readonly mean: number; readonly p50: number; readonly p95: number } | undefined => {
  const [p50, p95] = [quantile(tally.latencies, 0.5), quantile(tally.latencies, 0.95)];
  if (tally.timed === 0 || p50 === undefined || p95 === undefined) return undefined;
  return { mean: tally.latencyMs / tally.timed, p50, p95 };
};
