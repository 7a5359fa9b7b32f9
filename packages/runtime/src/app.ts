import { Hono, type MiddlewareHandler } from "hono";
import { API } from "./api-target.ts";
import { answerPreflight, isPreflight } from "./cors/preflight.ts";
import type { ApiGate } from "./gate/api-gate.ts";
import type { PreflightGate } from "./gate/preflight-gate.ts";
import type { GatewayEnv, GatewayRequest } from "./gateway-env.ts";
import { honoHandler } from "./hono-handler.ts";
import { type ProblemCode, problemResponse } from "./http-errors.ts";
import type { TokenErrorCode } from "./login/credentials.ts";
import type { Login } from "./login/login.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { Callers } from "./peer/callers.ts";
import { documentRoute, type PublicDocument } from "./routes/document-route.ts";
import { frontRoute } from "./routes/front-route.ts";
import { metricsRoute } from "./routes/metrics-route.ts";
import { answerProof, type GatewayProver, refuseProof } from "./routes/proof-route.ts";
import { tokenRoute } from "./routes/token-route.ts";

export interface AppDeps {
  readonly login: Login;
  readonly callers: Callers;
  readonly apiGate: ApiGate;
  readonly preflightGate: PreflightGate;
  readonly prover: GatewayProver;
  readonly docs: () => Promise<{
    readonly guide: PublicDocument;
    readonly openApi: PublicDocument;
    readonly guidePath: string;
  }>;
  readonly isReady: () => boolean | Promise<boolean>;
  readonly onLogin: (result: "ok" | TokenErrorCode) => void;
  /** A preflight was taken over, and who answers it. */
  readonly onPreflight: (by: "gateway" | "service") => void;
  readonly onError: (error: unknown, requestId: string) => void;
}

export interface AdminAppDeps extends Pick<AppDeps, "onError"> {
  readonly metrics: Metrics;
}

/** Takes a request over; always answers it. */
export type Handler = (request: GatewayRequest) => void;

/** Every middleware and route, in the order in which they apply. The guard has judged the raw request before. */
export const createApp = (deps: AppDeps): Handler => {
  const { login, callers, apiGate, preflightGate, prover, docs, isReady, onLogin, onPreflight, onError } = deps;
  const app = new Hono<GatewayEnv>();
  const others = honoHandler(app);

  app.use(ownFields);
  app.post("/auth/token", tokenRoute(login, callers, onLogin));
  app.get("/auth/proof", refuseProof);
  app.get("/health", (c) => c.json({ status: "ok" }));
  app.get("/ready", async (c) =>
    (await isReady()) ? c.json({ status: "ready" }) : c.json({ status: "not ready" }, 503, { "Retry-After": "5" }),
  );
  app.get(
    "/",
    frontRoute(async () => (await docs()).guidePath),
  );
  app.get(
    "/guide",
    documentRoute(async () => (await docs()).guide),
  );
  app.get(
    "/openapi.json",
    documentRoute(async () => (await docs()).openApi),
  );
  refuseOthers(app, onError, "There is nothing at this address. Calls go to /api/<service>; see /guide.", {
    "/auth/token": "POST",
    "/auth/proof": "GET, HEAD",
    "/health": "GET, HEAD",
    "/ready": "GET, HEAD",
    "/guide": "GET, HEAD",
    "/openapi.json": "GET, HEAD",
  });

  return (request) => {
    if (isPreflight(request)) {
      // Before anybody asks for a token: browsers send none with it.
      const by = answerPreflight(request) ? "gateway" : request.cors.isUpstreams ? "service" : undefined;
      if (by === "service") preflightGate.handle(request);
      if (by !== undefined) {
        onPreflight(by);
        return;
      }
    }
    // On Node's own request and response: web streams cost five times as much, and the router a twentieth of a call.
    if (request.target.startsWith(API)) apiGate.handle(request);
    else if (!answerProof(prover, request)) others(request);
  };
};

/** The same for the admin address. */
export const createAdminApp = ({ metrics, onError }: AdminAppDeps): Handler => {
  const app = new Hono<GatewayEnv>();
  app.use(ownFields);
  app.get("/metrics", metricsRoute(metrics));
  refuseOthers(app, onError, "There is nothing at this address. The metrics are at /metrics.", {
    "/metrics": "GET, HEAD",
  });
  return honoHandler(app);
};

/** On every answer. */
const ownFields: MiddlewareHandler<GatewayEnv> = async (c, next) => {
  await next();
  const { requestId, cors } = c.env;
  c.header("X-Request-ID", requestId);
  // Added to, not replaced: a route may have a Vary of its own.
  for (let i = 0; i + 1 < cors.own.length; i += 2) c.header(cors.own[i] ?? "", cors.own[i + 1], { append: true });
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
