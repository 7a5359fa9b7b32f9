import { createAdminApp } from "./app.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { listen } from "./server.ts";

export interface MetricsServerOptions {
  /** Address to bind, such as 127.0.0.1. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly metrics: Metrics;
  readonly onError: (error: unknown, requestId: string) => void;
}

export interface MetricsServer {
  /** Such as `http://127.0.0.1:9464`. */
  readonly url: string;
  /** Answers under way get half a second. */
  close(): Promise<void>;
}

/** `/metrics` on an address of its own. @throws AigwError `failed` when it cannot be bound */
export const startMetricsServer = async (options: MetricsServerOptions): Promise<MetricsServer> => {
  const { host, port, metrics, onError } = options;
  const server = await listen({
    host,
    port,
    flags: { host: "--admin-host", port: "--admin-port" },
    app: createAdminApp({ metrics, onError }),
    isDraining: () => false,
    onMalformed: () => undefined,
  });
  return {
    url: server.url,
    close: () => server.close({ lameDuckMs: 0, drainMs: 0, cutOpenCalls: () => undefined }),
  };
};
