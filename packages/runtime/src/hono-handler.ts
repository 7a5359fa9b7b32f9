import type { IncomingMessage } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context, Hono } from "hono";
import type { GatewayEnv, GatewayRequest } from "./gateway-env.ts";

/** Hands requests to a Hono app, with what the guard found out about them. */
export const honoHandler = (app: Hono<GatewayEnv>): ((request: GatewayRequest) => void) => {
  const known = new WeakMap<IncomingMessage, GatewayEnv["Bindings"]>();
  const serve = getRequestListener((request, env) => app.fetch(request, known.get(env.incoming as IncomingMessage)), {
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
  });
  return (request) => {
    known.set(request.incoming, request);
    void serve(request.incoming, request.outgoing);
  };
};

/** What a route of Hono's returns that has answered on Node's own response. */
export const sent = (): Response => RESPONSE_ALREADY_SENT;

/** A route of Hono's that answers on Node's own response, as all others do: one way to write fields, and no web streams. */
export const onNode =
  (handle: (request: GatewayRequest) => void | Promise<void>): ((c: Context<GatewayEnv>) => Promise<Response>) =>
  async (c) => {
    await handle(c.env);
    return sent();
  };
