import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import type { ApiGate } from "./gate/api-gate.ts";
import type { GatewayEnv } from "./gateway-env.ts";
import { type ProblemCode, problemResponse } from "./http-errors.ts";
import type { Login } from "./login/login.ts";
import { tokenRoute } from "./routes/token-route.ts";

export interface AppDeps {
  readonly login: Login;
  readonly apiGate: ApiGate;
  readonly isReady: () => boolean | Promise<boolean>;
  readonly onError: (error: unknown, requestId: string) => void;
}

/** Every middleware and route, in the order in which they apply. The guard has judged the raw request before. */
export const createApp = ({ login, apiGate, isReady, onError }: AppDeps): Hono<GatewayEnv> => {
  const app = new Hono<GatewayEnv>();

  // On Node's own request and response: streaming through web streams costs five times as much.
  app.all("/api/*", (c) => {
    const { incoming, outgoing, target, requestId, expectsContinue } = c.env;
    apiGate.handle({ incoming, outgoing, target, requestId, expectsContinue });
    return RESPONSE_ALREADY_SENT;
  });

  app.use(async (c, next) => {
    await next();
    c.header("X-Request-ID", c.env.requestId);
  });
  app.post("/auth/token", tokenRoute(login));
  app.get("/health", (c) => c.json({ status: "ok" }));
  app.get("/ready", async (c) =>
    (await isReady()) ? c.json({ status: "ready" }) : c.json({ status: "not ready" }, 503, { "Retry-After": "5" }),
  );
  for (const [path, allowed] of Object.entries({
    "/auth/token": "POST",
    "/health": "GET, HEAD",
    "/ready": "GET, HEAD",
  })) {
    app.all(path, (c) => problem(c.env.requestId, "method_not_allowed", `Use ${allowed} here.`, { Allow: allowed }));
  }

  app.notFound((c) =>
    problem(c.env.requestId, "not_found", "There is nothing at this address. Calls go to /api/<service>."),
  );
  app.onError((error, c) => {
    onError(error, c.env.requestId);
    return problem(
      c.env.requestId,
      "internal_error",
      "The gateway failed to answer. The request id helps to find out why.",
    );
  });
  return app;
};

const problem = (requestId: string, code: ProblemCode, detail: string, fields: Record<string, string> = {}): Response =>
  problemResponse({ code, detail, requestId }, fields);
