import type { Dispatcher } from "undici";
import { type Problem, problemBody } from "../http-errors.ts";
import type { Call, CallResult, ExchangeOwner, TimedExchange } from "./call.ts";
import { destroyClient, sendHead } from "./client-side.ts";
import type { Connection } from "./connection.ts";
import { refuse, refuseAndClose } from "./lingering-close.ts";
import { requestFields } from "./request-fields.ts";
import { responseHead, trailerFields } from "./response-fields.ts";
import { isClosedConnection, isRetried } from "./retry.ts";
import type { Route } from "./route.ts";
import { UploadBody } from "./upload-body.ts";
import { INVALID, TIMED_OUT, type UpstreamFailure, upstreamFailure } from "./upstream-failure.ts";

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
/** One for all: an error object of its own would cost a stack trace for each client that leaves. */
const BROKEN_OFF = new Error("exchange broken off");

/** One call under way, and undici's handler for it: one object, so that a call costs no closures to speak of. */
export class UpstreamExchange<C extends Call> implements TimedExchange<C>, Dispatcher.DispatchHandler {
  place = 0;
  readonly call: C;
  readonly #route: Route;
  readonly #owner: ExchangeOwner<C>;
  #state: typeof WAITING | typeof STREAMING | typeof ANSWERED | typeof ENDED = WAITING;
  #connection: Connection | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #upload: UploadBody | undefined;
  #mayRetry = false;
  #outcome: Outcome = "ok";
  #error: Error | undefined;
  #dispatchedAt = 0;
  /** When the upstream had the whole request; it has `timeoutMs` from then. Infinity while a body is being sent. */
  #requestSentAt = Number.POSITIVE_INFINITY;
  #lastByteAt = 0;
  #upstreamMs = -1;
  #contentLength = -1;
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
    this.#upload = new UploadBody(this.call.incoming);
    this.#dispatch(this.#upload);
  }

  #dispatch(body: Buffer | UploadBody | null): void {
    const { incoming, rest } = this.call;
    const now = this.#owner.clock();
    this.#dispatchedAt = now;
    this.#lastByteAt = now;
    if (body !== this.#upload) this.#requestSentAt = now;
    this.#connection ??= this.#route.pool.take();
    const { method = "GET" } = incoming;
    const path = this.#route.target(rest);
    const headers = requestFields(this.call, this.#route.service);
    this.#connection.client.dispatch({ method, path, headers, body, blocking: false }, this);
  }

  cut(outcome: "revoked" | "incomplete"): void {
    if (this.#state === ENDED) return;
    this.#abortUpstream();
    const { incoming, outgoing, requestId, responseFields } = this.call;
    if (outcome === "incomplete" || outgoing.headersSent) {
      destroyClient(this.call.outgoing, this.#contentLength >= 0);
      this.#end(outcome);
      return;
    }
    const problem: Problem = { code: "invalid_token", detail: "The token is no longer valid.", requestId };
    this.#answered(outcome, problem);
    const challenge = 'Bearer realm="aigw", error="invalid_token"';
    refuseAndClose(incoming, outgoing, problem, [...responseFields, "WWW-Authenticate", challenge]);
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

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#connection === undefined) controller.abort(BROKEN_OFF);
    else this.#connection.requestStarts();
  }

  onBodySent(): void {
    this.#lastByteAt = this.#owner.clock();
  }

  onRequestSent(): void {
    if (this.#upload === undefined) return;
    this.#upload.sent = true;
    this.#requestSentAt = this.#owner.clock();
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    statusText: string = "",
  ): void {
    if (this.#state !== WAITING || (status < 200 && status !== 101)) return;
    const now = this.#owner.clock();
    const head = responseHead(Array.isArray(controller.rawHeaders) ? controller.rawHeaders : [], status);
    if (status === 101 || !head.valid) {
      this.#fail(INVALID, "upstream_error");
      return;
    }
    this.#upstreamMs = now - this.#dispatchedAt;
    this.#lastByteAt = now;
    this.#contentLength = head.contentLength;
    if (status >= 500) this.#outcome = "upstream_error";
    sendHead(this.call, status, statusText, head.fields, this.#upload?.complete === false);
    this.#state = STREAMING;
    // Node keeps the head back for the first body bytes; when they do not come with it, it has to go alone.
    process.nextTick(flushHead, this);
  }

  /** Sends the response head if nothing of the body has taken it along. */
  flushHead(): void {
    if (this.#state === STREAMING && this.#bytesOut === 0) this.call.outgoing.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#state !== STREAMING) return;
    const { outgoing } = this.call;
    this.#lastByteAt = this.#owner.clock();
    this.#bytesOut += chunk.length;
    if (this.#bytesOut === this.#contentLength) {
      // The end in the same write: the client need not wait for the upstream's parser to say so.
      this.#state = ANSWERED;
      outgoing.end(chunk);
    } else if (!outgoing.write(chunk) && !controller.paused) {
      controller.pause();
      outgoing.once("drain", () => {
        this.#lastByteAt = this.#owner.clock();
        controller.resume();
      });
    }
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined) return;
    if (connection.failed || this.#upload?.sent === false) connection.destroy();
    else {
      connection.responseEnded();
      this.#route.pool.giveBack(connection);
    }
    if (this.#state !== STREAMING) return;
    if (connection.failed) {
      this.#breakOff();
      return;
    }
    const { outgoing } = this.call;
    const raw = controller.rawTrailers;
    if (Array.isArray(raw) && raw.length > 0 && outgoing.chunkedEncoding) outgoing.addTrailers(trailerFields(raw));
    this.#state = ANSWERED;
    outgoing.end();
  }

  onResponseError(_controller: unknown, error: Error): void {
    const connection = this.#connection;
    if (connection === undefined || this.#state === ENDED) return;
    this.#connection = undefined;
    connection.destroy();
    this.#upload?.destroy();
    if (this.#state === ANSWERED) return;
    this.#error = error;
    if (this.#state === STREAMING) {
      this.#breakOff();
    } else if (this.#mayRetry && connection.reused && !connection.sawBytes && isClosedConnection(error)) {
      // See retry.ts. On a new connection, so that it cannot happen again.
      this.#mayRetry = false;
      this.#error = undefined;
      this.#connection = this.#route.pool.open();
      this.#dispatch(null);
    } else {
      this.#fail(upstreamFailure(error, connection.sawBytes), "upstream_error");
    }
  }

  /** Answers with the gateway's own 500, 502 or 504. */
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
    const connection = this.#connection;
    // First, because undici reports the abort to this handler before it returns.
    this.#connection = undefined;
    if (connection !== undefined) this.#controller?.abort(BROKEN_OFF);
    connection?.destroy();
    this.#upload?.destroy();
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
      bytesIn: this.#upload?.received ?? this.#bytesIn,
      bytesOut: this.#bytesOut,
      ...(this.#upstreamMs >= 0 && { upstreamMs: this.#upstreamMs }),
      ...(this.#error && { error: this.#error }),
    });
  }
}

const flushHead = (exchange: UpstreamExchange<Call>): void => exchange.flushHead();
