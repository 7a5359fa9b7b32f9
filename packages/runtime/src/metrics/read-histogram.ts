import { Histogram as PromHistogram, type Registry } from "prom-client";
import type { Histogram } from "../metering/histogram.ts";
import type { MetricFamily, MetricSample } from "./metric-family.ts";

type Series = readonly [labels: Record<string, string>, histogram: Histogram];

/**
 * A histogram that was counted elsewhere. prom-client has no way to set one's buckets, only to observe value by value,
 * so this answers the registry itself.
 */
export class ReadHistogram extends PromHistogram {
  readonly #meta: { readonly name: string; readonly help: string };
  readonly #read: () => readonly Series[];

  constructor(registry: Registry, name: string, help: string, read: () => readonly Series[]) {
    super({ name, help, registers: [registry] });
    this.#meta = { name, help };
    this.#read = read;
  }

  /** What the registry calls for the text format. */
  async getForPromString(): Promise<MetricFamily> {
    const values = this.#read().flatMap((series) => valuesOf(this.#meta.name, series));
    return { ...this.#meta, type: "histogram", values, aggregator: "sum" };
  }

  /** What it calls for the values; the library's own declaration of them is for the bounds only. */
  override get(): ReturnType<PromHistogram["get"]> {
    return this.getForPromString() as unknown as ReturnType<PromHistogram["get"]>;
  }
}

const valuesOf = (name: string, [labels, { bounds, counts, sum }]: Series): MetricSample[] => {
  let total = 0;
  const buckets = counts.map((count, index): MetricSample => {
    total += count;
    return { labels: { ...labels, le: bounds[index] ?? "+Inf" }, value: total, metricName: `${name}_bucket` };
  });
  return [
    ...buckets,
    { labels, value: sum, metricName: `${name}_sum` },
    { labels, value: total, metricName: `${name}_count` },
  ];
};
