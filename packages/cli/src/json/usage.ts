import type { Outcome, UsageEvent } from "@aigw/core";
import { type Metered, type MeterProblem, millionthsInWords, type Units } from "@aigw/core/meters";
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
  /** How long it waited for its service to have room; absent when it did not. */
  readonly queuedMs?: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requestId: string;
  readonly outcome: Outcome;
  /** The service that took the call, because all targets of `service` were down; absent when it took it itself. */
  readonly fallback?: string;
  /** Why the upstream failed; absent when it did not. */
  readonly reason?: string;
  /** How many refused requests it stands for; absent: 1. */
  readonly count?: number;
  /** What it was worth, by unit; absent without a meter, as are the next four. */
  readonly units?: Readonly<Record<string, number>>;
  readonly metered?: Metered;
  readonly from?: "answer" | "request";
  readonly model?: string;
  /** Why nothing was read; absent when something was. */
  readonly unread?: MeterProblem;
  /** Null: no price fits. Absent: its service has neither meter nor price. */
  readonly cost?: number | null;
  /** The client's plan then. */
  readonly plan?: string;
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
  ...(event.queuedMs !== undefined && { queuedMs: event.queuedMs }),
  bytesIn: event.bytesIn,
  bytesOut: event.bytesOut,
  requestId: event.requestId,
  outcome: event.outcome,
  ...(event.fallback !== undefined && { fallback: event.fallback }),
  ...(event.reason !== undefined && { reason: event.reason }),
  ...(event.count !== undefined && { count: event.count }),
  ...(event.units !== undefined && { units: unitsJson(event.units) }),
  ...(event.metered !== undefined && { metered: event.metered }),
  ...(event.from !== undefined && { from: event.from }),
  ...(event.model !== undefined && { model: event.model }),
  ...(event.unread !== undefined && { unread: event.unread }),
  ...(event.cost !== undefined && { cost: event.cost === null ? null : decimal(event.cost) }),
  ...(event.plan !== undefined && { plan: event.plan }),
});

const unitsJson = (units: Units): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(units).map(([unit, millionths]) => [unit, decimal(millionths)]));

const decimal = (millionths: number): number => Number(millionthsInWords(millionths));
