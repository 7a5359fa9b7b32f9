import type { IncomingMessage, ServerResponse } from "node:http";
import type { Outcome } from "@aigw/core";
import type { JobRules } from "@aigw/core/jobs";
import type { QueueTerms } from "@aigw/core/queue";
import type { Fault, HealthCheck } from "@aigw/core/services";
import type { CorsAnswer } from "../cors/cors-answer.ts";
import type { Reading } from "../meters/reading.ts";
import type { ServiceMeter } from "../meters/service-meter.ts";
import type { Balance } from "./balance.ts";
import type { Placed } from "./dense-list.ts";
import type { SendQueues } from "./send-queues.ts";
import type { ConnectionFacts } from "./upstream/connector.ts";

/** One place where a service runs. */
export interface UpstreamTarget {
  /** As the service names it. */
  readonly url: string;
  /** `http://127.0.0.1:9000` or `unix:/run/ocr.sock`, without a path. */
  readonly origin: string;
  /** Starts with `/` or is empty; no trailing slash. */
  readonly basePath: string;
  /** Its part of the calls beside the others'. */
  readonly weight: number;
  /** It takes no new calls. */
  readonly isDrained: boolean;
}

/**
 * Where a service's calls go. Prepare one object per version of a service and hand the same one to every call: what
 * the proxy derives from it is remembered by its identity.
 */
export interface Upstream {
  /** The service's name; of one without, what stands behind `/api/` in `prefix`. */
  readonly service?: string;
  /** Of its first target; see {@link UpstreamTarget}. */
  readonly origin: string;
  readonly basePath: string;
  /** All of them, when there are several or there is something to say of the one; else it is `origin` and `basePath`. */
  readonly targets?: readonly UpstreamTarget[];
  /** What clients put in its place: `/api/ocr`. */
  readonly prefix: string;
  /** The service's own fields (its API key), opened: name, value. They replace what the client sent. */
  readonly headers: readonly (readonly [string, string])[];
  /** From the end of the request to the response headers. */
  readonly timeoutMs: number;
  /** How long no byte may move in either direction, once a body is under way. */
  readonly idleTimeoutMs: number;
  /** Reads what its calls are worth; without one they cost nothing more. */
  readonly meter?: ServiceMeter | null;
  /** Streams are asked for their totals where the client did not, and the client does not see them; see asking.ts. */
  readonly asksUsage?: boolean;
  readonly connection?: ConnectionFacts;
  /** It gets the Host that the client called, and not its own. */
  readonly sendsClientHost?: boolean;
  /** The gateway is not named in `Via`. */
  readonly noVia?: boolean;
  /** `%2F` in a path is forwarded. */
  readonly passesEncodedSlash?: boolean;
  readonly health?: HealthCheck;
  /** It takes only so many calls at once: see QueueGate. */
  readonly queue?: QueueTerms;
  /** Clients get this message in place of an answer. */
  readonly disabled?: string;
  /** Who takes its calls while all of its targets are down; asked for then. */
  readonly fallback?: () => Upstream | undefined;
  /** Its calls may become jobs. */
  readonly jobs?: JobRules;
  /** It takes the calls of another service, under that one's prefix. */
  readonly standsIn?: boolean;
}

/** One request that passed the gate, to be forwarded. */
export interface Call {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly upstream: Upstream;
  /** What follows `/api/<service>` in the request target, byte for byte: empty, or starting with `/` or `?`. */
  readonly rest: string;
  readonly requestId: string;
  /** Empty for a preflight, which is nobody's. */
  readonly clientName: string;
  /** Who is calling, as `X-Forwarded-For`, `-Proto` and `-Host` tell the upstream. */
  readonly clientAddress: string;
  readonly scheme: "http" | "https";
  readonly host: string | undefined;
  /** Set on the answer, also on the gateway's own 502 and 504: name, value, name, value … (X-Request-ID not among them). */
  readonly responseFields: readonly string[];
  /** Besides: what the answer says of CORS. */
  readonly cors: CorsAnswer;
  /** The request said `Expect: 100-continue` and no 100 was sent yet. */
  readonly expectsContinue: boolean;
  /** The service has nothing to do with it any more, though its client may still have to take the answer. */
  onServed?(): void;
  /**
   * Called exactly once, when the answer has ended in whatever way; for a complete one, when it was handed to the OS, or,
   * where a meter reads a compressed one, up to 2 s later.
   */
  onEnd(result: CallResult): void;
}

export interface CallResult {
  /** `denied`: the gateway had no room for it. */
  readonly outcome: Extract<
    Outcome,
    "ok" | "denied" | "upstream_error" | "timeout" | "aborted" | "incomplete" | "revoked"
  >;
  /** Status sent to the client; 0 when it was gone before. */
  readonly status: number;
  /** From dispatch to the upstream's response headers, milliseconds. */
  readonly upstreamMs?: number;
  /** From dispatch to the end of the call, milliseconds; 0 when it was not dispatched. */
  readonly serviceMs: number;
  /** Body bytes received from and handed to the client, the gateway's own error bodies included. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Why there was no whole answer; absent when there was one, or when the upstream is not the reason. */
  readonly fault?: Fault;
  /** The service that took the call, when it was not the one that was called. */
  readonly fallback?: string;
  /** What it was worth; absent without a meter. */
  readonly reading?: Reading;
  /** The call had ended so long before this is told: a compressed answer is read a little later, milliseconds. */
  readonly lateMs?: number;
  /** For the log only: it may name hosts. */
  readonly error?: Error;
}

/** A call under way. */
export interface Exchange {
  /**
   * Breaks the transfer off at both ends, at once: the client sees a broken transfer, the upstream an abort. A client
   * that was sent nothing yet gets a 401 when its token was revoked.
   */
  cut(outcome: "revoked" | "incomplete"): void;
  /** The gateway is about to end: an open WebSocket, which would not end by itself, is told so. */
  goAway(): void;
}

/** What keeps the open exchanges and their time. */
export interface ExchangeOwner<C extends Call> {
  /** Monotonic, milliseconds. */
  readonly clock: () => number;
  readonly sendQueues: SendQueues;
  /** The gateway is about to end. */
  readonly isGoingAway: boolean;
  /** Who takes the calls of an upstream whose targets are all down; undefined when there is nobody. */
  standIn(upstream: Upstream): Balance | undefined;
  /** A call was sent to another target. */
  wentElsewhere(upstream: Upstream): void;
  /** The exchange has a stream of events; where many are open, it is not to wait for the next look at all. */
  holdSoon(exchange: TimedExchange<C>): void;
  ended(exchange: TimedExchange<C>): void;
}

export interface TimedExchange<C extends Call> extends Exchange, Placed {
  readonly call: C;
  /** Of an answer that goes on, lets go what only its beginning needs; does nothing at any other time. */
  hold(): void;
  /** Called every 100 ms, to hold what goes on and to end what has taken too long. */
  checkTime(now: number): void;
}
