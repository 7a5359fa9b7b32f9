import type { Metrics } from "../metrics/metrics.ts";
import { answer } from "./answer.ts";
import type { Route } from "./dispatch.ts";

/** `GET /metrics` of the admin address. */
export const metricsRoute = (metrics: Metrics): Route => ({
  methods: "GET, HEAD",
  handle: async (request) =>
    answer(request, 200, await metrics.text(), ["Content-Type", metrics.contentType, "Cache-Control", "no-store"]),
});
