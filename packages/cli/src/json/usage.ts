import type { Outcome, UsageEvent } from "@aigw/core";
import { rfc3339 } from "../terminal/output/time.ts";

export interface UsageEventJson {
  readonly id: string;
  readonly at: string;
  readonly client: string;
  readonly service: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly latencyMs: number;
  /** Null when the upstream was not called or never answered. */
  readonly upstreamMs: number | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requestId: string;
  readonly outcome: Outcome;
  /** Why the upstream failed; absent when it did not. */
  readonly reason?: string;
  /** How many refused requests it stands for; absent: 1. */
  readonly count?: number;
}

export const usageEventJson = (event: UsageEvent): UsageEventJson => ({
  id: event.id,
  at: rfc3339(event.at),
  client: event.client,
  service: event.service,
  method: event.method,
  path: event.path,
  status: event.status,
  latencyMs: event.latencyMs,
  upstreamMs: event.upstreamMs ?? null,
  bytesIn: event.bytesIn,
  bytesOut: event.bytesOut,
  requestId: event.requestId,
  outcome: event.outcome,
  ...(event.reason !== undefined && { reason: event.reason }),
  ...(event.count !== undefined && { count: event.count }),
});
