import type { IncomingMessage, ServerResponse } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import type { CorsAnswer } from "./cors/cors-answer.ts";

/** Node's own request and response, past the guard. */
export interface GatewayRequest {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  /** The request target in origin form, byte for byte. */
  readonly target: string;
  readonly requestId: string;
  /** The request said `Expect: 100-continue`; whoever reads the body sends the 100 first. */
  readonly expectsContinue: boolean;
  readonly cors: CorsAnswer;
}

/** What every Hono handler finds in `c.env`. */
export interface GatewayEnv {
  Bindings: GatewayRequest & HttpBindings;
}
