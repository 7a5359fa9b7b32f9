import { MILLION } from "@aigw/core/meters";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { QueueFigures } from "../gate/queue-gate.ts";
import type { JobFigures } from "../jobs/job-figures.ts";
import { STATUS_CLASSES } from "../metering/call-stats.ts";
import type { GatewayStats } from "../metering/gateway-stats.ts";
import type { Route } from "../proxy/route.ts";
import type { MetricFamily } from "./metric-family.ts";
import { ReadHistogram } from "./read-histogram.ts";

/** What a scrape reads. */
export interface MetricSources {
  readonly stats: GatewayStats;
  readonly version: string;
  readonly instanceId: string;
  readonly isReady: () => boolean;
  readonly openCalls: () => number;
  /** To all targets of all services. */
  readonly routes: () => readonly Route[];
  /** Of services that take only so many calls at once. */
  readonly queues: () => readonly QueueFigures[];
  /** Since when the control state has not been confirmed, milliseconds ago. */
  readonly staleMs: () => number;
  readonly appliedRev: () => number;
  readonly usage: () => { readonly held: number; readonly dropped: number };
  /** Of all gateways, as one of several processes sees it; undefined for the others, and where there are none. */
  readonly jobs: () => JobFigures | undefined;
  /** Connections and calls refused for want of file descriptors. */
  readonly refusedForFiles: () => number;
  /** With TLS: milliseconds since the epoch. */
  readonly certificateExpiresAt: (() => number) | undefined;
}

export interface Metrics {
  readonly contentType: string;
  /** The Prometheus text exposition format. */
  text(): Promise<string>;
}

/** Metrics of this process, which can also be handed to another one. */
export interface OwnMetrics extends Metrics {
  families(): Promise<readonly MetricFamily[]>;
}

type Sample = readonly [labels: Record<string, string>, value: number];

/** Nothing is registered or labelled while calls run: each metric reads the gateway's own counters when it is scraped. */
export const createMetrics = (sources: MetricSources): OwnMetrics => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  addServiceMetrics(registry, sources);
  addTargetMetrics(registry, sources);
  addQueueMetrics(registry, sources);
  addGatewayMetrics(registry, sources);
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    // The library's declaration leaves out how a value is named and joined with others.
    families: async () => (await registry.getMetricsAsJSON()) as unknown as readonly MetricFamily[],
  };
};

const addServiceMetrics = (registry: Registry, { stats }: MetricSources): void => {
  const services = () => [...stats.calls.entries()];
  counter(
    registry,
    "aigw_requests_total",
    "Calls that belong to a client, by how they ended",
    ["service", "outcome", "status_class"],
    () =>
      services().flatMap(([service, { calls }]) =>
        Object.entries(calls).flatMap(([outcome, byClass]) =>
          byClass.flatMap((count, index): Sample[] => {
            const labels = { service, outcome, status_class: STATUS_CLASSES[index] ?? "" };
            return count === 0 ? [] : [[labels, count]];
          }),
        ),
      ),
  );
  counter(
    registry,
    "aigw_limited_total",
    "Calls refused because the client's limit or a quota was used up",
    ["service"],
    () => services().map(([service, { calls }]) => [{ service }, calls.limited.reduce((sum, count) => sum + count, 0)]),
  );
  counter(registry, "aigw_over_quota_total", "Those of them that a quota refused", ["service"], () =>
    services().map(([service, { overQuota }]) => [{ service }, overQuota]),
  );
  counter(
    registry,
    "aigw_turned_away_total",
    "Calls refused because their service had no room, and the queue was full or the wait too long",
    ["service"],
    () =>
      services().flatMap(([service, { turnedAway }]): Sample[] =>
        turnedAway === 0 ? [] : [[{ service }, turnedAway]],
      ),
  );
  counter(registry, "aigw_units_total", "What calls were worth, as the meters read it", ["service", "unit"], () =>
    services().flatMap(([service, { units }]) =>
      [...units].map(([unit, millionths]): Sample => [{ service, unit }, millionths / MILLION]),
    ),
  );
  counter(registry, "aigw_cost_total", "What calls cost by their prices, in the setting currency", ["service"], () =>
    services().flatMap(([service, { cost }]): Sample[] => (cost === 0 ? [] : [[{ service }, cost / MILLION]])),
  );
  new ReadHistogram(
    registry,
    "aigw_request_duration_seconds",
    "Calls that were admitted, from arrival to the end of the answer",
    () => services().map(([service, { duration }]) => [{ service }, duration]),
  );
  new ReadHistogram(
    registry,
    "aigw_upstream_duration_seconds",
    "From sending a call to the service's response headers",
    () => services().map(([service, { upstream }]) => [{ service }, upstream]),
  );
  new ReadHistogram(
    registry,
    "aigw_queued_duration_seconds",
    "How long calls waited for their service to have room, of those that did",
    () =>
      services().flatMap(([service, { queued }]) =>
        queued.counts.every((count) => count === 0) ? [] : [[{ service }, queued] as const],
      ),
  );
};

/** Of services that take only so many calls at once. */
const addQueueMetrics = (registry: Registry, { queues }: MetricSources): void => {
  const byService = (read: (queue: QueueFigures) => number) => (): readonly Sample[] =>
    queues().map((queue) => [{ service: queue.service }, read(queue)]);
  const labels = ["service"];
  const slots = byService(({ concurrency }) => concurrency);
  gauge(registry, "aigw_queue_slots", "Calls that a service takes at once, over all gateways", labels, slots, "max");
  const used = byService(({ running }) => running);
  gauge(registry, "aigw_queue_slots_used", "Calls from here that have one", labels, used);
  const waiting = byService((queue) => queue.waiting);
  gauge(registry, "aigw_queue_waiting", "Calls that wait here for one", labels, waiting);
  const oldest = byService(({ oldestMs }) => oldestMs / 1_000);
  const oldestHelp = "How long the call has waited that waits longest here";
  gauge(registry, "aigw_queue_oldest_wait_seconds", oldestHelp, labels, oldest, "max");
};

/** By service, and by the target's place among the service's own: where it is, is nobody's to read here. */
const addTargetMetrics = (registry: Registry, { stats, routes }: MetricSources): void => {
  const byTarget = (read: (route: Route) => number) => (): readonly Sample[] =>
    routes().map((route) => [{ service: route.state.service, target: String(route.number) }, read(route)]);
  const labels = ["service", "target"];
  const isUp = byTarget(({ state }) => (state.isDown ? 0 : 1));
  gauge(registry, "aigw_target_up", "1 while a target takes calls, 0 while it is down", labels, isUp, "min");
  const isDrained = byTarget((route) => (route.isDrained ? 1 : 0));
  gauge(registry, "aigw_target_drained", "1 while an admin keeps new calls from a target", labels, isDrained, "max");
  const openCalls = byTarget(({ state }) => state.openCalls);
  gauge(registry, "aigw_target_open_calls", "Calls under way to a target", labels, openCalls);
  counter(registry, "aigw_elsewhere_total", "Calls sent again, to another target or a fallback", ["service"], () =>
    [...stats.elsewhere.entries()].map(([service, count]) => [{ service }, count]),
  );
};

const addGatewayMetrics = (registry: Registry, sources: MetricSources): void => {
  const { stats } = sources;
  const tally = <K extends string>(label: string, entries: Iterable<readonly [K, number]>): Sample[] =>
    [...entries].map(([key, count]) => [{ [label]: key }, count]);
  counter(registry, "aigw_refused_total", "Refused requests that belong to no client, by reason", ["code"], () =>
    tally("code", stats.strangers.entries()),
  );
  counter(registry, "aigw_logins_total", "Token requests, by result", ["result"], () =>
    tally("result", stats.logins.entries()),
  );
  counter(registry, "aigw_preflights_total", "CORS preflights, by who answers them", ["by"], () =>
    tally("by", stats.preflights.entries()),
  );
  counter(registry, "aigw_store_faults_total", "How often the store began to fail, by what for", ["operation"], () =>
    tally("operation", stats.storeFaults.entries()),
  );
  counter(
    registry,
    "aigw_usage_dropped_total",
    "Requests whose usage was lost because it could not be stored",
    [],
    () => [[{}, sources.usage().dropped]],
  );
  counter(
    registry,
    "aigw_out_of_files_total",
    "Connections and calls refused because file descriptors ran out",
    [],
    () => [[{}, sources.refusedForFiles()]],
  );
  new ReadHistogram(registry, "aigw_usage_flush_duration_seconds", "Storing what has gathered of usage", () => [
    [{}, stats.flushes],
  ]);
  gauge(registry, "aigw_info", "1, with version and instance", ["version", "instance"], () => [
    [{ version: sources.version, instance: sources.instanceId }, 1],
  ]);
  gauge(registry, "aigw_ready", "1 while /ready says so", [], () => [[{}, sources.isReady() ? 1 : 0]], "min");
  gauge(registry, "aigw_open_calls", "Calls under way", [], () => [[{}, sources.openCalls()]]);
  gauge(
    registry,
    "aigw_store_staleness_seconds",
    "Since the change log was last read",
    [],
    () => [[{}, sources.staleMs() / 1000]],
    "max",
  );
  gauge(
    registry,
    "aigw_applied_revision",
    "The latest admin change in force here",
    [],
    () => [[{}, sources.appliedRev()]],
    "min",
  );
  const jobs = (read: (figures: JobFigures) => readonly Sample[]) => (): readonly Sample[] => {
    const figures = sources.jobs();
    return figures === undefined ? [] : read(figures);
  };
  const byState = jobs(({ waiting, running, ended }) => [
    [{ state: "waiting" }, waiting],
    [{ state: "running" }, running],
    [{ state: "ended" }, ended],
  ]);
  gauge(registry, "aigw_jobs", "Jobs that wait, run, or have ended and are kept, at all gateways", ["state"], byState);
  const oldest = jobs(({ oldestWaitMs }) => [[{}, oldestWaitMs / 1000]]);
  gauge(registry, "aigw_jobs_oldest_wait_seconds", "How long the first of the jobs that wait has waited", [], oldest);
  const stored = jobs(({ storedBytes }) => [[{}, storedBytes]]);
  gauge(registry, "aigw_jobs_stored_bytes", "What jobs keep on the disk", [], stored);
  gauge(registry, "aigw_usage_held", "Usage events waiting to be stored", [], () => [[{}, sources.usage().held]]);
  const { certificateExpiresAt } = sources;
  if (certificateExpiresAt === undefined) return;
  counter(registry, "aigw_tls_failures_total", "Connections that failed in TLS", [], () => [[{}, stats.tlsFailures]]);
  gauge(
    registry,
    "aigw_tls_certificate_expiry_timestamp_seconds",
    "When the certificate in use ends",
    [],
    () => [[{}, certificateExpiresAt() / 1000]],
    "min",
  );
};

const counter = (
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  read: () => readonly Sample[],
): void => {
  const metric: Counter = new Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect: () => {
      metric.reset();
      for (const [labels, value] of read()) metric.inc(labels, value);
    },
  });
};

/** @param aggregator how the values of several workers become one */
const gauge = (
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  read: () => readonly Sample[],
  aggregator: "sum" | "min" | "max" = "sum",
): void => {
  const metric: Gauge = new Gauge({
    name,
    help,
    labelNames,
    aggregator,
    registers: [registry],
    collect: () => {
      metric.reset();
      for (const [labels, value] of read()) metric.set(labels, value);
    },
  });
};
