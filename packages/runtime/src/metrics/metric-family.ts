/** One value of a metric. */
export interface MetricSample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** The part of a histogram that it is, such as `aigw_request_duration_seconds_sum`. */
  readonly metricName?: string;
}

/** A metric with its values, as plain data that can be sent from process to process. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly MetricSample[];
  /** How the values of several processes become one: a name that prom-client knows, such as `sum`. */
  readonly aggregator: string;
}
