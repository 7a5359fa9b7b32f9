export type { MetricFamily } from "./metrics/metric-family.ts";
export { createWorkersMetrics, type WorkerMetrics, type WorkersSources } from "./metrics/workers-metrics.ts";
export { type MetricsServer, type MetricsServerOptions, startMetricsServer } from "./metrics-server.ts";
