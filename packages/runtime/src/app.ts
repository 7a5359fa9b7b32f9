import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono, type MiddlewareHandler } from "hono";
import type { ApiGate } from "./gate/api-gate.ts";
import type { GatewayEnv } from "./gateway-env.ts";
import { type ProblemCode, problemResponse } from "./http-errors.ts";
import type { TokenErrorCode } from "./login/credentials.ts";
import type { Login } from "./login/login.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { documentRoute, type PublicDocument } from "./routes/document-route.ts";
import { metricsRoute } from "./routes/metrics-route.ts";
import { tokenRoute } from "./routes/token-route.ts";

export interface AppDeps {
  readonly login: Login;
  readonly apiGate: ApiGate;
  readonly docs: { readonly guide: PublicDocument; readonly openApi: PublicDocument };
  readonly isReady: () => boolean | Promise<boolean>;
  readonly onLogin: (result: "ok" | TokenErrorCode) => void;
  readonly onError: (error: unknown, requestId: string) => void;
}

export interface AdminAppDeps extends Pick<AppDeps, "onError"> {
  readonly metrics: Metrics;
}

/** Every middleware and route, in the order in which they apply. The guard has judged the raw request before. */
export const createApp = ({ login, apiGate, docs, isReady, onLogin, onError }: AppDeps): Hono<GatewayEnv> => {
  const app = new Hono<GatewayEnv>();

  // On Node's own request and response: streaming through web streams costs five times as much.
  app.all("/api/*", (c) => {
    const { incoming, outgoing, target, requestId, expectsContinue } = c.env;
    apiGate.handle({ incoming, outgoing, target, requestId, expectsContinue });
    return RESPONSE_ALREADY_SENT;
  });

  app.use(requestIdOnAnswers);
  app.post("/auth/token", tokenRoute(login, onLogin));
  app.get("/health", (c) => c.json({ status: "ok" }));
  app.get("/ready", async (c) =>
    (await isReady()) ? c.json({ status: "ready" }) : c.json({ status: "not ready" }, 503, { "Retry-After": "5" }),
  );
  app.get(
    "/guide",
    documentRoute(() => docs.guide),
  );
  app.get(
    "/openapi.json",
    documentRoute(() => docs.openApi),
  );
  refuseOthers(app, onError, "There is nothing at this address. Calls go to /api/<service>; see /guide.", {
    "/auth/token": "POST",
    "/health": "GET, HEAD",
    "/ready": "GET, HEAD",
    "/guide": "GET, HEAD",
    "/openapi.json": "GET, HEAD",
  });
  return app;
};

/** The same for the admin address. */
export const createAdminApp = ({ metrics, onError }: AdminAppDeps): Hono<GatewayEnv> => {
  const app = new Hono<GatewayEnv>();
  app.use(requestIdOnAnswers);
  app.get("/metrics", metricsRoute(metrics));
  refuseOthers(app, onError, "There is nothing at this address. The metrics are at /metrics.", {
    "/metrics": "GET, HEAD",
  });
  return app;
};

const requestIdOnAnswers: MiddlewareHandler<GatewayEnv> = async (c, next) => {
  await next();
  c.header("X-Request-ID", c.env.requestId);
};

/** Other methods of known paths, unknown paths, and faults. */
const refuseOthers = (
  app: Hono<GatewayEnv>,
  onError: AppDeps["onError"],
  notFound: string,
  allowed: Readonly<Record<string, string>>,
): void => {
  for (const [path, methods] of Object.entries(allowed)) {
    app.all(path, (c) => problem(c.env.requestId, "method_not_allowed", `Use ${methods} here.`, { Allow: methods }));
  }
  app.notFound((c) => problem(c.env.requestId, "not_found", notFound));
  app.onError((error, c) => {
    onError(error, c.env.requestId);
    return problem(
      c.env.requestId,
      "internal_error",
      "The gateway failed to answer. The request id helps to find out why.",
    );
  });
};

const problem = (requestId: string, code: ProblemCode, detail: string, fields: Record<string, string> = {}): Response =>
  problemResponse({ code, detail, requestId }, fields);
