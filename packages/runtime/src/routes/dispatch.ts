import type { GatewayRequest } from "../gateway-env.ts";
import { refuse } from "../proxy/lingering-close.ts";

/** Takes a request over; always answers it. */
export type Handler = (request: GatewayRequest) => void;

export interface Route {
  /** As an Allow field lists them. */
  readonly methods: "POST" | "GET, HEAD";
  /** Answers. What it throws becomes a 500. */
  readonly handle: (request: GatewayRequest) => void | Promise<void>;
}

export interface DispatchOptions {
  readonly routes: Readonly<Record<string, Route>>;
  /** Said of every other path. */
  readonly notFound: string;
  readonly onError: OnError;
}

export type OnError = (error: unknown, requestId: string) => void;

/** For routes whose code is loaded with the first request for them. */
export const onceLoaded = (load: () => Promise<Handler>): ((request: GatewayRequest) => Promise<void>) => {
  let loaded: Promise<Handler> | undefined;
  return async (request) => {
    loaded ??= load();
    (await loaded)(request);
  };
};

/** The fault of a route: a 500, or the end of an answer that was begun. */
export const refuseFaulty = (request: GatewayRequest, error: unknown, onError: OnError): void => {
  const { incoming, outgoing, requestId, cors } = request;
  onError(error, requestId);
  const detail = "The gateway failed to answer. The request id helps to find out why.";
  if (outgoing.headersSent) outgoing.destroy();
  else refuse(incoming, outgoing, { code: "internal_error", detail, requestId }, cors.own);
};

/**
 * Finds the route of a request by its path, and refuses what has none, on Node's own request and response: through a
 * router over web streams a flood of `/health` or of nonsense costs three to five times as much.
 */
export const dispatcher = ({ routes, notFound, onError }: DispatchOptions): Handler => {
  const byPath = new Map(Object.entries(routes));
  return (request) => {
    const { incoming, outgoing, requestId, cors } = request;
    const route = byPath.get(pathOf(request.target));
    if (route === undefined) {
      refuse(incoming, outgoing, { code: "not_found", detail: notFound, requestId }, cors.own);
    } else if (!allows(route, incoming.method)) {
      const detail = `Use ${route.methods} here.`;
      const fields = ["Allow", route.methods, ...cors.own];
      refuse(incoming, outgoing, { code: "method_not_allowed", detail, requestId }, fields);
    } else {
      try {
        route.handle(request)?.catch((error: unknown) => refuseFaulty(request, error, onError));
      } catch (error) {
        refuseFaulty(request, error, onError);
      }
    }
  };
};

const allows = ({ methods }: Route, method: string | undefined): boolean =>
  methods === "POST" ? method === "POST" : method === "GET" || method === "HEAD";

/** RFC 3986 §6.2.2.2: `/%68ealth` is `/health`. */
const pathOf = (target: string): string => {
  const query = target.indexOf("?");
  const path = query === -1 ? target : target.slice(0, query);
  if (!path.includes("%")) return path;
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
};
