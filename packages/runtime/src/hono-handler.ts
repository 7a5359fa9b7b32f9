import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import type { GatewayEnv, GatewayRequest } from "./gateway-env.ts";
import { closeIfUnread } from "./proxy/lingering-close.ts";

/** Hands requests to a Hono app, with what the guard found out about them. */
export const honoHandler = (app: Hono<GatewayEnv>): ((request: GatewayRequest) => void) => {
  const known = new WeakMap<IncomingMessage, GatewayEnv["Bindings"]>();
  const serve = getRequestListener(
    async (request, env) => {
      const incoming = env.incoming as IncomingMessage;
      const response = await app.fetch(request, known.get(incoming));
      closeIfUnread(incoming, env.outgoing as ServerResponse);
      return response;
    },
    { overrideGlobalObjects: false, autoCleanupIncoming: false },
  );
  return (request) => {
    const { incoming, outgoing } = request;
    known.set(incoming, request);
    void serve(incoming, outgoing);
  };
};
