import { type ErrorHandler, Hono } from "hono";
import type { AdminAppDeps, AppDeps } from "./app.ts";
import type { GatewayEnv } from "./gateway-env.ts";
import { honoHandler, onNode, sent } from "./hono-handler.ts";
import { type Handler, type OnError, refuseFaulty } from "./routes/dispatch.ts";
import { documentRoute } from "./routes/document-route.ts";
import { frontRoute } from "./routes/front-route.ts";
import { metricsRoute } from "./routes/metrics-route.ts";

export interface PagesDeps extends Pick<AppDeps, "docs" | "onError"> {
  /** Said to programs that ask for `/`. */
  readonly notFound: string;
}

/** What people open in a browser. Loaded with the first of it: the router's adapter needs Node's own fetch, 14 MB. */
export const createPages = ({ docs, notFound, onError }: PagesDeps): Handler => {
  const pages = new Hono<GatewayEnv>();
  pages.get("/", onNode(frontRoute(async () => (await docs()).guidePath, notFound).handle));
  pages.get("/guide", onNode(documentRoute(async () => (await docs()).guide).handle));
  pages.get("/openapi.json", onNode(documentRoute(async () => (await docs()).openApi).handle));
  pages.onError(failed(onError));
  return honoHandler(pages);
};

/** The same for the admin address. */
export const createAdminPages = ({ metrics, onError }: AdminAppDeps): Handler => {
  const pages = new Hono<GatewayEnv>();
  pages.get("/metrics", onNode(metricsRoute(metrics).handle));
  pages.onError(failed(onError));
  return honoHandler(pages);
};

const failed =
  (onError: OnError): ErrorHandler<GatewayEnv> =>
  (error, c) => {
    refuseFaulty(c.env, error, onError);
    return sent();
  };
