import type { ServerOptions } from "node:http";
import type { TlsOptions } from "node:tls";
import { leavesParser } from "./without-upgrade.ts";

/** For `http.createServer`; each with its reason. */
export const SERVER_OPTIONS: ServerOptions = {
  // The lenient parser accepts the very framing tricks that the guard exists for.
  insecureHTTPParser: false,
  // The guard asks for Host itself: Node's own 400 has no body and no request id.
  requireHostHeader: false,
  shouldUpgradeCallback: leavesParser,
  // A client that dribbles header bytes holds a connection for this long at most, and then gets a 408.
  headersTimeout: 15_000,
  // Uploads may take hours; the proxy breaks off those that stand still.
  requestTimeout: 0,
  // Node's default looks for expired connections every 30 s only.
  connectionsCheckingInterval: 1_000,
  // Longer than the usual idle time of balancers in front (60 s): whoever closes, it should be them.
  keepAliveTimeout: 65_000,
  // Node's default, written down: it bounds what 10,000 connections can hold.
  maxHeaderSize: 16 * 1024,
  // Event streams are small writes that must not wait for an acknowledgement.
  noDelay: true,
  // Finds clients that vanished without a FIN while nothing is sent to them.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
};

/** For `https.createServer`, besides. */
export const TLS_OPTIONS: TlsOptions = {
  // Like headersTimeout: a handshake that dribbles holds a connection.
  handshakeTimeout: 15_000,
};
