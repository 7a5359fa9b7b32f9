import type { Connection } from "./upstream/connection.ts";
import { codeOf } from "./upstream-failure.ts";

/**
 * When a request is sent again to the same target. The two cases are both on a connection that has served before: the
 * upstream closed it while the request was on its way, which no keep-alive timeout can rule out (RFC 9112 §9.3.1), or
 * what came is the rest of the answer before. The request must have no body, a method that may be sent twice without
 * harm (RFC 9110 §9.2.2), and not a byte of its own answer may have come. Everything else could have been carried out
 * already, and it is the client who knows whether it may be repeated.
 */
const RETRIED: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "OPTIONS"]);

export const isRetried = (method: string | undefined): boolean => RETRIED.has(method);

/** The connection was closed, as opposed to refused, not found or misused. */
const CLOSED: ReadonlySet<string> = new Set(["UPSTREAM_CLOSED", "ECONNRESET", "EPIPE"]);

export const isRetriable = (connection: Connection, error: Error): boolean =>
  connection.sawLeftovers || (connection.reused && !connection.sawBytes && CLOSED.has(codeOf(error)));

/** Whose intended effect is the same however often they are sent (RFC 9110 §9.2.2); the guard lets no TRACE in. */
const IDEMPOTENT: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/**
 * Whether a request may go to another target: nothing of an answer came, and it was not sent at all (what is written
 * waits until a connection is open), or may be carried out twice.
 */
export const mayGoElsewhere = (connection: Connection, method: string | undefined): boolean =>
  connection.opening || ((!connection.sawBytes || connection.sawLeftovers) && IDEMPOTENT.has(method));
