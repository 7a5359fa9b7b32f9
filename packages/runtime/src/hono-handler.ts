import type { IncomingMessage } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import type { GatewayEnv, GatewayRequest } from "./gateway-env.ts";
import { drainAfterAnswer } from "./proxy/lingering-close.ts";

/** Hands requests to a Hono app, with what the guard found out about them. */
export const honoHandler = (app: Hono<GatewayEnv>): ((request: GatewayRequest) => void) => {
  const known = new WeakMap<IncomingMessage, GatewayEnv["Bindings"]>();
  const serve = getRequestListener((request, env) => app.fetch(request, known.get(env.incoming as IncomingMessage)), {
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
  });
  return (request) => {
    const { incoming, outgoing } = request;
    drainAfterAnswer(incoming, outgoing);
    known.set(incoming, request);
    void serve(incoming, outgoing);
  };
};
