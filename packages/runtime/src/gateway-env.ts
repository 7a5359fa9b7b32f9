import type { HttpBindings } from "@hono/node-server";

/** What every Hono handler finds in `c.env`: Node's own request and response, past the guard. */
export interface GatewayBindings extends HttpBindings {
  /** The request target in origin form, byte for byte. */
  readonly target: string;
  readonly requestId: string;
  /** The request said `Expect: 100-continue`; whoever reads the body sends the 100 first. */
  readonly expectsContinue: boolean;
}

export interface GatewayEnv {
  Bindings: GatewayBindings;
}
