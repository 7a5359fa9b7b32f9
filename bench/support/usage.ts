import type { TrafficStore, UsageEvent } from "../../packages/core/src/index.ts";
import { now } from "./clock.ts";
import { quantile } from "./statistics.ts";

export const DAYS = 30;
const HOURS = DAYS * 24;
const CLIENTS = 100;
const SERVICES = 5;
const PAIRS = CLIENTS * SERVICES;
const BATCH = 10_000;

/** How long a step took, milliseconds, and how many events it was for. */
export interface Step {
  readonly ms: number;
  readonly events: number;
}

export interface Steps {
  readonly events: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export const summary = (steps: readonly Step[]): Steps => {
  const times = steps.map(({ ms }) => ms);
  return {
    events: steps.reduce((sum, { events }) => sum + events, 0),
    seconds: times.reduce((sum, ms) => sum + ms, 0) / 1_000,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    max: quantile(times, 1),
  };
};

export const timed = async <T>(work: () => T | Promise<T>): Promise<{ readonly ms: number; readonly result: T }> => {
  const started = now();
  const result = await work();
  return { ms: now() - started, result };
};

/** Scatters, so that neighbours differ. */
const scattered = (index: number): number => Math.imul(index + 77, 0x9e3779b1) >>> 8;

/**
 * The event `index` of `count` that fill the 30 days before `end`: 100 clients, 5 services, four outcomes, all with each
 * other in every hour where there are enough. An hour's events come pair by pair, which makes no difference once they
 * are counted but lets them be counted in a tenth of the time.
 */
export const usageEvent = (index: number, count: number, end: number): UsageEvent => {
  const perHour = count / HOURS;
  const hour = Math.floor(index / perHour);
  const inHour = index - hour * perHour;
  const pair = Math.min(PAIRS - 1, Math.floor((inHour * PAIRS) / perHour));
  const inPair = Math.floor(inHour - (pair * perHour) / PAIRS);
  const kind = perHour / PAIRS > 8 ? inPair : scattered(index) % 50;
  const from = end - (HOURS - hour) * 3_600_000;
  return {
    id: `gw-bench.${index.toString(36).padStart(6, "0")}`,
    at: from + (scattered(index) % 3_600_000),
    client: `client-${Math.floor(pair / SERVICES)}`,
    service: `service-${pair % SERVICES}`,
    method: "POST",
    path: "/api/service/v1/read",
    status: [429, 502, 404][kind] ?? 200,
    latencyMs: 5 + ((index * 7919) % 3_000) / 7,
    bytesIn: 1_024,
    bytesOut: 2_048,
    requestId: `r-${index.toString(36)}`,
    outcome: kind === 0 ? "limited" : kind === 1 ? "upstream_error" : "ok",
  };
};

const YEAR_MS = 365 * 24 * 3_600_000;
const MODELS = ["gpt-4o", "llama-3", "mistral"];

/** The event `index` of `count` that fill the year before `end`: as above, and calls of two services are metered. */
export const usageEventOfYear = (index: number, count: number, end: number): UsageEvent => {
  const event = usageEvent(index, count, end);
  const pair = scattered(index) % PAIRS;
  const metered = pair % SERVICES < 2 && event.outcome === "ok";
  return {
    ...event,
    at: end - YEAR_MS + Math.floor((index / count) * YEAR_MS),
    client: `client-${Math.floor(pair / SERVICES)}`,
    service: `service-${pair % SERVICES}`,
    ...(metered && {
      units: { input_tokens: (index % 4_000) * 1_000_000, output_tokens: (index % 900) * 1_000_000 },
      metered: "yes",
      from: "answer",
      model: MODELS[index % MODELS.length] ?? "",
      cost: index % 100_000,
    }),
  };
};

/** @returns how long each batch took */
export const recordAll = async (
  traffic: TrafficStore,
  count: number,
  end: number = Date.now(),
  eventAt: typeof usageEvent = usageEvent,
): Promise<readonly Step[]> => {
  const steps: Step[] = [];
  for (let from = 0; from < count; from += BATCH) {
    const events = Array.from({ length: Math.min(BATCH, count - from) }, (_, n) => eventAt(from + n, count, end));
    steps.push({ ...(await timed(() => traffic.recordUsage(events))), events: events.length });
  }
  return steps;
};

/** Slice by slice, as a gateway does. @returns how long each took */
export const foldAll = async (traffic: TrafficStore): Promise<readonly Step[]> => {
  const steps: Step[] = [];
  for (let more = true; more; ) {
    const { ms, result } = await timed(() => traffic.foldUsage(2_000));
    steps.push({ ms, events: result.events });
    more = result.more;
  }
  return steps;
};
