import type { Metered, MeterProblem } from "../meters/meter-problem.ts";
import type { Units } from "../meters/unit.ts";

/** How a call ended. */
export type Outcome = "ok" | "denied" | "limited" | "upstream_error" | "timeout" | "aborted" | "incomplete" | "revoked";

export const OUTCOMES: readonly Outcome[] = [
  "ok",
  "denied",
  "limited",
  "upstream_error",
  "timeout",
  "aborted",
  "incomplete",
  "revoked",
];

/** One request of one client, or several refused ones alike. */
export interface UsageEvent {
  /** Unique for ever: instance id + `.` + counter. Recording the same id again changes nothing. */
  readonly id: string;
  /** When the request arrived; wall clock, milliseconds since the epoch. */
  readonly at: number;
  /** The client's name; of a trial of its quick start `<name>:trial`, see {@link trialName}. */
  readonly client: string;
  /** The service that was called; of a refused call the one asked for, or empty when there was no such service then. */
  readonly service: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** The status sent to the client; 0 when it was gone before one was sent. */
  readonly status: number;
  /** From arrival to the end of the answer, milliseconds. */
  readonly latencyMs: number;
  /** From dispatch to the upstream's response headers, milliseconds; absent when it was not called or never answered. */
  readonly upstreamMs?: number;
  /** How long it waited for its service to have room, milliseconds; absent when it did not wait. */
  readonly queuedMs?: number;
  /** Body bytes received from and sent to the client. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requestId: string;
  readonly outcome: Outcome;
  /** The service that took the call, because all targets of {@link service} were down. */
  readonly fallback?: string;
  /** Why the upstream failed (`FAULTS`), or why the token was refused (`TOKEN_ENDS`), or `quota_exceeded`, or `service_busy`. Absent when neither was so. */
  readonly reason?: string;
  /**
   * How many requests this event stands for, ≥ 2; absent: 1. Then `at` is the first one's time, `bytesIn` and `bytesOut`
   * are sums, `latencyMs` is the mean, and the rest is the first one's.
   */
  readonly count?: number;
  /** What it was worth, as its service's meter read it, in integer millionths; only what was read. Absent without a meter. */
  readonly units?: Units;
  readonly metered?: Metered;
  /** Where `units` come from, the request when any of them does; absent when nothing was read. */
  readonly from?: "answer" | "request";
  /** What the service calls the model that answered. */
  readonly model?: string;
  /** Why nothing was read; absent when something was. */
  readonly unread?: MeterProblem;
  /**
   * By the prices then in force, in integer millionths of the currency; null: none of them fits. Absent: its service has
   * neither meter nor price.
   */
  readonly cost?: number | null;
  /** The client's plan then. */
  readonly plan?: string;
  /** What its gateway says of the events up to this one that it recorded together; see parseSeal. Absent in all but the last. */
  readonly seal?: string;
}

/** Which events; every given field must match. */
export interface UsageFilter {
  readonly client?: string;
  readonly service?: string;
  /** `{from, to}` inclusive, such as 400–499. */
  readonly status?: { readonly from: number; readonly to: number };
  /** `at` ≥ since, milliseconds since the epoch. */
  readonly since?: number;
}
