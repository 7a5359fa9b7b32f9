import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { MetricFamily } from "./metric-family.ts";
import type { Metrics } from "./metrics.ts";

/** What one worker's metrics are when it is asked. */
export interface WorkerMetrics {
  /** The gateway's id. */
  readonly id: string;
  /** Its number, from 1. */
  readonly worker: number;
  readonly families: readonly MetricFamily[];
}

/** What a scrape reads. */
export interface WorkersSources {
  /** Asks every worker; takes a bounded time, and leaves out those that do not answer in it. */
  readonly ask: () => Promise<readonly WorkerMetrics[]>;
  /** Whether the worker with this gateway id still runs. */
  readonly runs: (id: string) => boolean;
  /** How often a worker had to be replaced. */
  readonly restarts: () => number;
}

/** What is about a process and not about the gateway is shown for each of them. */
const isPerWorker = (name: string): boolean => !name.startsWith("aigw_") || name === "aigw_info";

/**
 * The metrics of several workers as one. A counter counts on when a worker ends or does not answer: what it was last
 * seen at goes on being part of the sum, because a sum that falls looks like a restart of everything.
 */
export const createWorkersMetrics = (sources: WorkersSources): Metrics => {
  const own = ownRegistry(sources);
  const latest = new Map<string, readonly MetricFamily[]>();
  let ended: readonly MetricFamily[] = [];

  const scrape = async (): Promise<string> => {
    const answers = await sources.ask();
    for (const { id, families } of answers) latest.set(id, families);
    const silent: (readonly MetricFamily[])[] = [];
    for (const [id, families] of latest) {
      if (answers.some((answer) => answer.id === id)) continue;
      silent.push(countersOf(families));
      if (sources.runs(id)) continue;
      ended = await sum([ended, countersOf(families)]);
      silent.pop();
      latest.delete(id);
    }
    own.answering.set(answers.length);
    const ownFamilies = (await own.registry.getMetricsAsJSON()) as unknown as readonly MetricFamily[];
    const all = [
      ...answers.map(({ worker, families }) => labelled(families, String(worker))),
      ...silent,
      ended,
      labelled(ownFamilies, "primary"),
    ];
    return AggregatorRegistry.aggregate(all as object[]).metrics();
  };

  let scraping: Promise<string> | undefined;
  return {
    contentType: own.registry.contentType,
    // One at a time: an older answer that comes later would take a counter back.
    text: () => {
      scraping ??= scrape().finally(() => {
        scraping = undefined;
      });
      return scraping;
    },
  };
};

const ownRegistry = ({ restarts }: WorkersSources): { readonly registry: Registry; readonly answering: Gauge } => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const answering = new Gauge({
    name: "aigw_workers",
    help: "Workers that answered this scrape",
    registers: [registry],
  });
  const restarted: Counter = new Counter({
    name: "aigw_worker_restarts_total",
    help: "Workers that ended unexpectedly",
    registers: [registry],
    collect: () => {
      restarted.reset();
      restarted.inc(restarts());
    },
  });
  return { registry, answering };
};

const labelled = (families: readonly MetricFamily[], worker: string): readonly MetricFamily[] =>
  families.map((family) =>
    isPerWorker(family.name)
      ? {
          ...family,
          // With a label of its own no value meets another.
          aggregator: "sum",
          values: family.values.map((sample) => ({ ...sample, labels: { ...sample.labels, worker } })),
        }
      : family,
  );

const countersOf = (families: readonly MetricFamily[]): readonly MetricFamily[] =>
  families.filter(({ name, type }) => !isPerWorker(name) && (type === "counter" || type === "histogram"));

const sum = async (parts: readonly (readonly MetricFamily[])[]): Promise<readonly MetricFamily[]> =>
  (await AggregatorRegistry.aggregate(parts as object[]).getMetricsAsJSON()) as unknown as readonly MetricFamily[];
