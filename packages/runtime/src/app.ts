import { API } from "./api-target.ts";
import { answerPreflight, isPreflight } from "./cors/preflight.ts";
import type { ApiGate } from "./gate/api-gate.ts";
import type { PreflightGate } from "./gate/preflight-gate.ts";
import type { GatewayRequest } from "./gateway-env.ts";
import { JOBS } from "./jobs/job-json.ts";
import type { Jobs } from "./jobs/jobs.ts";
import type { TokenErrorCode } from "./login/credentials.ts";
import type { Login } from "./login/login.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { Callers } from "./peer/callers.ts";
import { answerJson } from "./routes/answer.ts";
import { dispatcher, type Handler, onceLoaded, type Route } from "./routes/dispatch.ts";
import type { PublicDocument } from "./routes/document-route.ts";
import { type GatewayProver, proofRoute } from "./routes/proof-route.ts";
import { TokenRoute } from "./routes/token-route.ts";

export type { Handler } from "./routes/dispatch.ts";

export interface AppDeps {
  readonly login: Login;
  readonly callers: Callers;
  readonly apiGate: ApiGate;
  readonly jobs: Pick<Jobs, "handle">;
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

const NOTHING_HERE = "There is nothing at this address. Calls go to /api/<service>; see /guide.";
const HEALTHY = '{"status":"ok"}';
const READY = '{"status":"ready"}';
const NOT_READY = '{"status":"not ready"}';

/** Every middleware and route, in the order in which they apply. The guard has judged the raw request before. */
export const createApp = (deps: AppDeps): Handler => {
  const { login, callers, apiGate, jobs, preflightGate, prover, docs, isReady, onLogin, onPreflight, onError } = deps;
  const tokens = new TokenRoute({ login, callers, onResult: onLogin });
  const ready = async (request: GatewayRequest): Promise<void> =>
    (await isReady()) ? answerJson(request, 200, READY) : answerJson(request, 503, NOT_READY, ["Retry-After", "5"]);
  const page: Route = {
    methods: "GET, HEAD",
    handle: onceLoaded(async () => (await import("./pages.ts")).createPages({ docs, notFound: NOTHING_HERE, onError })),
  };
  const others = dispatcher({
    routes: {
      "/auth/token": { methods: "POST", handle: (request) => tokens.handle(request) },
      "/auth/proof": proofRoute(prover),
      "/health": { methods: "GET, HEAD", handle: (request) => answerJson(request, 200, HEALTHY) },
      "/ready": { methods: "GET, HEAD", handle: ready },
      "/": page,
      "/guide": page,
      "/openapi.json": page,
    },
    notFound: NOTHING_HERE,
    onError,
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
    if (request.target.startsWith(API)) apiGate.handle(request);
    else if (request.target.startsWith(JOBS)) jobs.handle(request);
    else others(request);
  };
};

/** The same for the admin address. */
export const createAdminApp = ({ metrics, onError }: AdminAppDeps): Handler => {
  const page = onceLoaded(async () => (await import("./pages.ts")).createAdminPages({ metrics, onError }));
  return dispatcher({
    routes: { "/metrics": { methods: "GET, HEAD", handle: page } },
    notFound: "There is nothing at this address. The metrics are at /metrics.",
    onError,
  });
};
