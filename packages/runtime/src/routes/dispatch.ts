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
  /** Gets every other path. */
  readonly otherwise: Handler;
  readonly onError: OnError;
}

export type OnError = (error: unknown, requestId: string) => void;

export const refuseUnknown = ({ incoming, outgoing, requestId, cors }: GatewayRequest, detail: string): void =>
  refuse(incoming, outgoing, { code: "not_found", detail, requestId }, cors.own);

export const refuseMethod = ({ incoming, outgoing, requestId, cors }: GatewayRequest, { methods }: Route): void => {
  const detail = `Use ${methods} here.`;
  refuse(incoming, outgoing, { code: "method_not_allowed", detail, requestId }, ["Allow", methods, ...cors.own]);
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
 * The routes that anybody may ask for at any rate: found by path alone, on Node's own request and response. Through a
 * router over web streams a flood of `/health` costs three to five times as much.
 */
export const dispatcher = ({ routes, otherwise, onError }: DispatchOptions): Handler => {
  const byPath = new Map(Object.entries(routes));
  return (request) => {
    const route = byPath.get(pathOf(request.target));
    if (route === undefined) {
      otherwise(request);
    } else if (!allows(route, request.incoming.method)) {
      refuseMethod(request, route);
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
