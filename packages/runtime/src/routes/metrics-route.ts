import type { Handler } from "hono";
import type { GatewayEnv } from "../gateway-env.ts";
import type { Metrics } from "../metrics/metrics.ts";

/** `GET /metrics` of the admin address. */
export const metricsRoute =
  (metrics: Metrics): Handler<GatewayEnv> =>
  async (c) =>
    c.body(await metrics.text(), 200, { "Content-Type": metrics.contentType, "Cache-Control": "no-store" });
