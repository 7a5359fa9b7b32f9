import { type Problem, problemBody } from "../http-errors.ts";
import type { Call, CallResult, ExchangeOwner, TimedExchange } from "./call.ts";
import { destroyClient, sendHead } from "./client-side.ts";
import { refuse, refuseAndCut } from "./lingering-close.ts";
import { requestFields } from "./request-fields.ts";
import { responseFields, trailerFields } from "./response-fields.ts";
import { isClosedConnection, isRetried } from "./retry.ts";
import type { Route } from "./route.ts";
import type { Connection, ResponseHandler } from "./upstream/connection.ts";
import type { ResponseHead } from "./upstream/response-head.ts";
import { TIMED_OUT, type UpstreamFailure, upstreamFailure } from "./upstream-failure.ts";

type Outcome = CallResult["outcome"];

/** No response headers yet. */
const WAITING = 0;
/** The upstream's response is being passed on. */
const STREAMING = 1;
/** The answer is complete, the upstream's or our own; the client may still have to take it. */
const ANSWERED = 2;
const ENDED = 3;

/** A body that has arrived whole when the call starts goes out in one write with the head. */
const WHOLE_BODY = 16 * 1024;
/** Content up to this size that comes in one piece goes to the client in one string with the head, and so in one write. */
const ONE_WRITE = 8 * 1024;

/** One call under way, and what its connection tells: one object, so that a call costs no closures to speak of. */
export class UpstreamExchange<C extends Call> implements TimedExchange<C>, ResponseHandler {
  place = 0;
  readonly call: C;
  readonly #route: Route;
  readonly #owner: ExchangeOwner<C>;
  #state: typeof WAITING | typeof STREAMING | typeof ANSWERED | typeof ENDED = WAITING;
  #connection: Connection | undefined;
  /** The request's content comes piece by piece, and is complete; neither for one that is sent whole. */
  #streamsUp = false;
  #uploaded = false;
  #mayRetry = false;
  #outcome: Outcome = "ok";
  #error: Error | undefined;
  #dispatchedAt = 0;
  /** When the upstream had the whole request; it has `timeoutMs` from then. Infinity while a body is being sent. */
  #requestSentAt = Number.POSITIVE_INFINITY;
  #lastByteAt = 0;
  #upstreamMs = -1;
  #contentLength = -1;
  /** The client does not keep pace, and the connection waits for it. */
  #held = false;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(call: C, route: Route, owner: ExchangeOwner<C>) {
    this.call = call;
    this.#route = route;
    this.#owner = owner;
    this.#lastByteAt = owner.clock();
  }

  start(): void {
    const { incoming, outgoing, expectsContinue } = this.call;
    outgoing.on("close", () => this.#clientClosed());
    // The client left before its call was forwarded; nobody will say so again, and the next sweep ends the call.
    if (incoming.socket.destroyed) return;
    const { "content-length": length, "transfer-encoding": coding } = incoming.headers;
    const declared = length === undefined ? 0 : Number(length);
    if (coding === undefined && declared === 0) {
      this.#mayRetry = isRetried(incoming.method);
      this.#dispatch(null);
      return;
    }
    if (expectsContinue) outgoing.writeContinue();
    if (coding !== undefined || declared > WHOLE_BODY) this.#dispatchStream();
    else if (incoming.readableLength < declared) {
      // Node announces a request before it parses the body in the same packet; that is done when this runs.
      queueMicrotask(() => this.#dispatchSmall(declared));
    } else this.#dispatchSmall(declared);
  }

  #dispatchSmall(declared: number): void {
    if (this.#state !== WAITING) return;
    const { incoming } = this.call;
    const whole: Buffer | null = incoming.readableLength === declared ? incoming.read(declared) : null;
    if (whole === null) {
      this.#dispatchStream();
      return;
    }
    this.#bytesIn = declared;
    this.#dispatch(whole);
  }

  #dispatchStream(): void {
    this.#streamsUp = true;
    this.#dispatch(undefined);
  }

  /** @param content whole; null: none; undefined: it streams */
  #dispatch(content: Buffer | null | undefined): void {
    // As in start(): it may have left since.
    if (this.call.incoming.socket.destroyed) return;
    const { pool } = this.#route;
    const now = this.#owner.clock();
    this.#dispatchedAt = now;
    this.#lastByteAt = now;
    if (content !== undefined) this.#requestSentAt = now;
    if (!pool.mayBeStale(now)) this.#send(content, pool.take());
    else
      setImmediate(() => {
        if (this.#state === WAITING && !this.call.incoming.socket.destroyed) this.#send(content, pool.take());
      });
  }

  #send(content: Buffer | null | undefined, connection: Connection): void {
    this.#connection = connection;
    const { incoming, rest } = this.call;
    const fields = requestFields(this.call, this.#route.service);
    connection.request(incoming.method ?? "GET", this.#route.target(rest), fields, content, this);
    if (content === undefined) this.#pump();
  }

  /** Passes the request's content on as it comes; what comes when nobody wants it any more is thrown away. */
  #pump(): void {
    const { incoming } = this.call;
    const chunked = incoming.headers["transfer-encoding"] !== undefined;
    incoming.on("data", (chunk: Buffer) => {
      this.#bytesIn += chunk.length;
      if (this.#connection === undefined) return;
      this.#lastByteAt = this.#owner.clock();
      if (!this.#connection.write(chunk, chunked)) incoming.pause();
    });
    // When the client breaks off there is no `end`, and so the upstream never sees a complete body.
    incoming.on("end", () => {
      this.#uploaded = true;
      this.#connection?.endContent(chunked);
      this.#requestSentAt = this.#owner.clock();
    });
  }

  onDrain(): void {
    this.#lastByteAt = this.#owner.clock();
    if (this.#streamsUp) this.call.incoming.resume();
  }

  cut(outcome: "revoked" | "incomplete"): void {
    if (this.#state === ENDED) return;
    this.#abortUpstream();
    const { incoming, outgoing, requestId, responseFields } = this.call;
    if (outcome === "incomplete" || outgoing.headersSent) {
      destroyClient(outgoing, this.#contentLength >= 0);
      this.#end(outcome);
      return;
    }
    const problem: Problem = { code: "invalid_token", detail: "The token is no longer valid.", requestId };
    this.#answered(outcome, problem);
    const challenge = 'Bearer realm="aigw", error="invalid_token"';
    refuseAndCut(incoming, outgoing, problem, [...responseFields, "WWW-Authenticate", challenge]);
  }

  checkTime(now: number): void {
    const { incoming, upstream } = this.call;
    if (incoming.socket.destroyed) {
      // A pipelined request whose turn has not come is not told when its connection closes.
      this.#clientClosed();
      return;
    }
    const idle = now - this.#lastByteAt >= upstream.idleTimeoutMs;
    if (this.#state !== WAITING) {
      if (idle) this.#breakOff();
    } else if (
      now - this.#requestSentAt >= upstream.timeoutMs ||
      (idle && this.#requestSentAt === Number.POSITIVE_INFINITY)
    ) {
      this.#fail(TIMED_OUT, "timeout");
    }
  }

  onHead({ status, reason, fields }: ResponseHead, contentLength: number): void {
    const now = this.#owner.clock();
    this.#upstreamMs = now - this.#dispatchedAt;
    this.#lastByteAt = now;
    this.#contentLength = contentLength;
    if (status >= 500) this.#outcome = "upstream_error";
    sendHead(this.call, status, reason, responseFields(fields, status), this.#streamsUp && !this.#uploaded);
    this.#state = STREAMING;
  }

  onContent(bytes: Buffer): void {
    const { outgoing } = this.call;
    this.#lastByteAt = this.#owner.clock();
    const isWhole = this.#bytesOut === 0 && bytes.length === this.#contentLength;
    this.#bytesOut += bytes.length;
    if (isWhole && bytes.length <= ONE_WRITE) {
      this.#state = ANSWERED;
      outgoing.end(bytes.toString("latin1"), "latin1");
    } else if (this.#bytesOut === this.#contentLength) {
      // The end in the same write: the client need not wait for it.
      this.#state = ANSWERED;
      outgoing.end(Buffer.from(bytes));
    } else if (!outgoing.write(Buffer.from(bytes)) && !this.#held) {
      // One read may hold thousands of small chunks: one of them waits for all.
      this.#held = true;
      this.#connection?.pause();
      outgoing.once("drain", () => {
        this.#held = false;
        this.#lastByteAt = this.#owner.clock();
        this.#connection?.resume();
      });
    }
  }

  onReadEnd(): void {
    // Node keeps the head back for the first bytes of content; when they do not come with it, it has to go alone.
    if (this.#state === STREAMING && this.#bytesOut === 0) this.call.outgoing.flushHeaders();
  }

  onEnd(trailers: readonly string[]): void {
    this.#leave();
    if (this.#state !== STREAMING) return;
    const { outgoing } = this.call;
    if (trailers.length > 0 && outgoing.chunkedEncoding) outgoing.addTrailers(trailerFields(trailers));
    this.#state = ANSWERED;
    outgoing.end();
  }

  onError(error: Error): void {
    const connection = this.#connection;
    if (connection === undefined || this.#state === ENDED) return;
    this.#connection = undefined;
    if (this.#state === ANSWERED) return;
    this.#error = error;
    if (this.#state === STREAMING) {
      this.#breakOff();
    } else if (this.#mayRetry && connection.reused && !connection.sawBytes && isClosedConnection(error)) {
      // See retry.ts. On a new connection, so that it cannot happen again.
      this.#mayRetry = false;
      this.#error = undefined;
      this.#send(null, this.#route.pool.open());
    } else {
      this.#fail(upstreamFailure(error, connection.sawBytes), "upstream_error");
    }
  }

  /** Answers with the gateway's own 502 or 504. */
  #fail({ code, detail }: UpstreamFailure, outcome: Outcome): void {
    this.#abortUpstream();
    const { incoming, outgoing, requestId, responseFields } = this.call;
    const problem: Problem = { code, detail, requestId };
    this.#answered(outcome, problem);
    refuse(incoming, outgoing, problem, responseFields);
  }

  #answered(outcome: Outcome, problem: Problem): void {
    this.#state = ANSWERED;
    this.#outcome = outcome;
    this.#lastByteAt = this.#owner.clock();
    if (this.call.incoming.method !== "HEAD") this.#bytesOut = Buffer.byteLength(problemBody(problem));
  }

  /** The rest of the response will not come: the client must see that. */
  #breakOff(): void {
    this.#abortUpstream();
    destroyClient(this.call.outgoing, this.#contentLength >= 0);
    this.#end("incomplete");
  }

  #abortUpstream(): void {
    this.#connection?.destroy();
    this.#leave();
  }

  #leave(): void {
    this.#connection = undefined;
    // What is left of the upload is thrown away: a client may want to be rid of it before it reads the answer.
    if (this.#streamsUp && !this.#uploaded) this.call.incoming.resume();
  }

  #clientClosed(): void {
    if (this.#state === ENDED) return;
    const { outgoing } = this.call;
    const complete = this.#state === ANSWERED && outgoing.writableFinished;
    this.#abortUpstream();
    this.#end(complete || this.#outcome === "revoked" || this.#outcome === "timeout" ? this.#outcome : "aborted");
  }

  #end(outcome: Outcome): void {
    const { outgoing } = this.call;
    this.#state = ENDED;
    this.#owner.ended(this);
    this.call.onEnd({
      outcome,
      status: outgoing.headersSent ? outgoing.statusCode : 0,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      ...(this.#upstreamMs >= 0 && { upstreamMs: this.#upstreamMs }),
      ...(this.#error && { error: this.#error }),
    });
  }
}
