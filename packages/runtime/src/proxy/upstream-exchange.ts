import { FAULTS, type Fault } from "@aigw/core/services";
import { PROBLEMS, type Problem } from "../http-errors.ts";
import type { CallReader } from "../meters/call-reader.ts";
import { TOKEN_ENDED } from "../unauthorized.ts";
import { AnswerSide } from "./answer-side.ts";
import type { Balance } from "./balance.ts";
import type { Call, ExchangeOwner, TimedExchange } from "./call.ts";
import { CallEnd, type ProxyOutcome } from "./call-end.ts";
import { ClientConnection } from "./client-connection.ts";
import { Destination } from "./destination.ts";
import { type Refuse, refuse, refuseAndClose, refuseAndCut } from "./lingering-close.ts";
import { type RequestOwner, RequestSide } from "./request-side.ts";
import { isRetriable, isRetried } from "./retry.ts";
import type { Route } from "./route.ts";
import { STEP_MS } from "./send-queues.ts";
import type { Connection } from "./upstream/connection.ts";
import type { ResponseHead } from "./upstream/response-head.ts";
import { failureOf, faultOf, TIMED_OUT } from "./upstream-failure.ts";
import { accepts, isUpgrade } from "./websocket/handshake.ts";
import { Tunnel, type TunnelEnd } from "./websocket/tunnel.ts";

/** No response headers yet. */
const WAITING = 0;
/** The upstream's response is being passed on. */
const STREAMING = 1;
/** The answer is complete, the upstream's or our own; the client may still have to take it. */
const ANSWERED = 2;
const ENDED = 3;

const NO_FIELDS: readonly string[] = [];

/** One call under way, from its dispatch to its end, and what its connection tells: it costs no closures to speak of. */
export class UpstreamExchange<C extends Call> implements TimedExchange<C>, RequestOwner {
  place = 0;
  readonly call: C;
  /** See {@link RequestOwner}; null behind the call's end, too. */
  reader: CallReader | null;
  readonly #owner: ExchangeOwner<C>;
  readonly #destination: Destination<C>;
  readonly #request: RequestSide;
  readonly #answer: AnswerSide<C>;
  readonly #end: CallEnd<C>;
  #state: typeof WAITING | typeof STREAMING | typeof ANSWERED | typeof ENDED = WAITING;
  /** Of a WebSocket, behind its handshake: all that moves is its own. */
  #tunnel: Tunnel | undefined;
  #mayRetry = true;
  /** What only the beginning of an answer needs is let go. */
  #isHeld = false;
  #lastByteAt: number;

  constructor(call: C, balance: Balance, owner: ExchangeOwner<C>) {
    const now = owner.clock();
    this.call = call;
    this.#owner = owner;
    this.#lastByteAt = now;
    this.#destination = new Destination(this, balance, owner, now);
    this.#request = new RequestSide(this);
    this.#answer = new AnswerSide(call, this, this.#destination, this.#request);
    this.#end = new CallEnd(this, owner, this.#destination, this.#request, this.#answer);
    this.reader = this.#startReader();
  }

  get isWaiting(): boolean {
    return this.#state === WAITING;
  }

  now(): number {
    return this.#owner.clock();
  }

  movedAt(now: number): void {
    this.#lastByteAt = now;
  }

  start(): void {
    const { incoming, outgoing } = this.call;
    outgoing.on("close", () => this.#clientClosed());
    // The client left before its call was forwarded; nobody will say so again, and the next sweep ends the call.
    if (incoming.socket.destroyed) return;
    const { route, hasOthers } = this.#destination;
    if (route === undefined) {
      this.#fail("no_target", "upstream_error");
      return;
    }
    this.#destination.enter(route);
    this.#request.start(route, hasOthers);
  }

  #startReader(): CallReader | null {
    // A preflight is nobody's, and worth nothing.
    return this.call.clientName === "" ? null : (this.#destination.upstream.meter?.start() ?? null);
  }

  goAway(): void {
    this.#tunnel?.cut("goingAway");
  }

  cut(outcome: "revoked" | "incomplete"): void {
    if (this.#tunnel !== undefined) {
      this.#tunnel.cut(outcome === "revoked" ? outcome : "goingAway");
      return;
    }
    if (this.#state === ENDED) {
      // Nobody is left who could wait for what it was worth.
      if (outcome === "incomplete") this.#end.stop();
      return;
    }
    const { outgoing, requestId } = this.call;
    if (outcome === "incomplete" || outgoing.headersSent) {
      this.#breakOff(outcome);
      return;
    }
    const { fields, ...refusal } = TOKEN_ENDED;
    this.#refuse({ ...refusal, requestId }, outcome, refuseAndCut, fields);
  }

  checkTime(now: number): void {
    if (this.#state === ENDED) return;
    if (this.#tunnel !== undefined) {
      this.#tunnel.checkTime(now);
      return;
    }
    this.hold();
    const { incoming } = this.call;
    const { timeoutMs, idleTimeoutMs } = this.#destination.upstream;
    const { sentAt } = this.#request;
    if (incoming.socket.destroyed) {
      // One that left before its call was forwarded is not told of again.
      this.#clientClosed();
    } else if (this.#state === WAITING && isUpgrade(incoming) && incoming.socket.readableEnded) {
      // No parser says that it has left; that it is closed comes next.
      incoming.socket.destroy();
    } else if (this.#state === WAITING && sentAt !== Number.POSITIVE_INFINITY) {
      if (now - sentAt >= timeoutMs) this.#fail("answer_timeout", "timeout");
    } else if (now - this.#lastByteAt >= idleTimeoutMs / 4) this.#checkMovement(now, idleTimeoutMs);
  }

  hold(): void {
    if (this.#isHeld || this.#state !== STREAMING || this.#answer.isUnsent) return;
    this.#isHeld = true;
    ClientConnection.of(this.call.incoming.socket)?.park();
  }

  /** Nothing has moved for a while, as far as the writes and reads show. */
  #checkMovement(now: number, idleTimeoutMs: number): void {
    const isTaking = this.#answer.isHeld || this.#state === ANSWERED;
    const uploadTaker = this.#request.isHeld ? this.#request.connection?.socket : undefined;
    const taker = isTaking ? this.call.outgoing.socket : uploadTaker;
    // An answer without a socket has just left it.
    if (taker === null || (taker !== undefined && this.#owner.sendQueues.moved(taker, this.#lastByteAt, now))) {
      this.#lastByteAt = now;
    } else if (now - this.#lastByteAt >= Math.max(idleTimeoutMs, taker === undefined ? 0 : STEP_MS)) {
      this.#standsStill(isTaking || (this.#request.isOutstanding && !this.#request.isHeld));
    }
  }

  /** @param isClient it is the client that does not take, or does not send; else the upstream */
  #standsStill(isClient: boolean): void {
    if (this.#state !== WAITING) {
      if (isClient) this.#breakOff(this.#end.outcomeWithoutClient);
      else this.#breakOff("incomplete", "answer_stalled");
    } else if (isClient) {
      const detail = "The rest of the request did not arrive in time.";
      this.#refuse({ code: "request_timeout", detail, requestId: this.call.requestId }, "aborted", refuseAndClose);
    } else this.#fail("upload_stalled", "timeout");
  }

  onDrain(): void {
    this.#lastByteAt = this.#owner.clock();
    this.#request.resume();
  }

  onInterim(head: ResponseHead): void {
    if (this.#state === WAITING) this.#answer.sendInterim(head);
  }

  onHead(head: ResponseHead, contentLength: number): void {
    const now = this.#owner.clock();
    this.#end.upstreamMs = now - this.#request.dispatchedAt;
    this.#lastByteAt = now;
    this.#answer.contentLength = contentLength;
    this.#destination.answered();
    this.#request.forget();
    if (head.status === 101) {
      this.#switch(head);
      return;
    }
    if (head.status >= 500) this.#end.outcome = "upstream_error";
    this.#answer.begin(head);
    this.#state = STREAMING;
  }

  /** The connection is a WebSocket from now on, if it is the one that was asked for. */
  #switch(head: ResponseHead): void {
    if (!accepts(this.call.incoming, head)) {
      this.#fail("switched_protocols", "upstream_error");
      return;
    }
    this.#destination.completed();
    this.reader?.onHead(head.status, head.fields);
    this.#state = STREAMING;
    const tunnel = new Tunnel({
      client: this.#answer.sendSwitch(head),
      connection: this.#request.connection as Connection,
      idleTimeoutMs: this.#destination.upstream.idleTimeoutMs,
      owner: this.#owner,
      onEnd: (end) => this.#tunnelEnded(end),
    });
    this.#tunnel = tunnel;
    tunnel.start();
    if (this.#owner.isGoingAway) tunnel.cut("goingAway");
  }

  #tunnelEnded({ outcome, fault }: TunnelEnd): void {
    this.#end.fault = fault;
    this.#end.isWhole = outcome === "ok";
    this.#leave();
    this.#endAs(outcome);
  }

  onContent(bytes: Buffer): void {
    this.#lastByteAt = this.#owner.clock();
    const answer = this.#answer;
    if (answer.endsWith(bytes)) this.#state = ANSWERED;
    answer.send(bytes);
  }

  onReadEnd(): void {
    this.#answer.flush();
    if (!this.#isHeld && this.#answer.hasEvents) this.#owner.holdSoon(this);
  }

  onEnd(trailers: readonly string[]): void {
    this.#destination.completed();
    this.#leave();
    this.#end.isWhole = true;
    this.#end.trailers = trailers;
    if (this.#state !== STREAMING) return;
    this.#state = ANSWERED;
    this.#answer.end(trailers);
  }

  onError(error: Error): void {
    const { connection } = this.#request;
    if (connection === undefined || this.#state === ENDED) return;
    this.#request.connection = undefined;
    if (this.#state === ANSWERED) return;
    this.#end.error = error;
    const { contentLength, isUnsent } = this.#answer;
    const fault = faultOf(error, connection, this.#state === STREAMING ? contentLength : undefined);
    if (this.#state === STREAMING && !isUnsent) {
      this.#breakOff("incomplete", fault);
    } else if (!this.#mayRetry || !this.#sendAgain(connection, error, fault)) {
      this.#fail(fault, FAULTS[fault].kind === "gateway" ? "denied" : "upstream_error");
    }
  }

  /** Sends the request once more where it can do no harm. @returns false when there is nowhere to */
  #sendAgain(failed: Connection, error: Error, fault: Fault): boolean {
    const destination = this.#destination;
    const request = this.#request;
    const elsewhere = destination.elsewhere(failed, fault, request.isAllThere);
    if (elsewhere !== undefined) destination.moveTo(elsewhere, fault);
    else if (request.hasContent || !isRetried(this.call.incoming.method) || !isRetriable(failed, error)) return false;
    this.#mayRetry = false;
    this.#end.error = undefined;
    // The service that stands in has a meter of its own.
    if (elsewhere?.upstream.standsIn === true) {
      this.reader = this.#startReader();
      if (this.reader !== null) request.readAgain(this.reader);
    }
    request.again(destination.route as Route);
    return true;
  }

  /** Answers with the gateway's own 502 or 504. */
  #fail(fault: Fault, outcome: ProxyOutcome): void {
    const isLate = outcome === "timeout";
    const cause = isLate && this.#request.connection?.opening === true ? "connect_timeout" : fault;
    this.#end.fault = cause;
    this.#destination.blame(cause);
    const { code, detail } = isLate ? TIMED_OUT : failureOf(fault);
    // There may have been a head, with something behind it that made all of it invalid.
    this.#end.upstreamMs = -1;
    const fields = PROBLEMS[code].status === 503 ? ["Retry-After", this.#destination.retryAfter(code)] : NO_FIELDS;
    this.#refuse({ code, detail, requestId: this.call.requestId }, outcome, refuse, fields);
  }

  #refuse(problem: Problem, outcome: ProxyOutcome, by: Refuse, fields: readonly string[] = NO_FIELDS): void {
    this.#abortUpstream();
    this.#state = ANSWERED;
    this.#end.outcome = outcome;
    this.#lastByteAt = this.#owner.clock();
    this.#answer.refuse(problem, by, fields);
  }

  #breakOff(outcome: ProxyOutcome, fault?: Fault): void {
    this.#end.fault ??= fault;
    if (fault !== undefined) this.#destination.blame(fault);
    this.#abortUpstream();
    this.#answer.breakOff();
    this.#endAs(outcome);
  }

  #abortUpstream(): void {
    this.#request.connection?.destroy();
    this.#leave();
  }

  #leave(): void {
    this.#request.leave();
    this.#destination.leave();
    this.call.onServed?.();
  }

  #clientClosed(): void {
    if (this.#state === ENDED) return;
    const complete = this.#state === ANSWERED && this.call.outgoing.writableFinished;
    this.#abortUpstream();
    this.#endAs(complete ? this.#end.outcome : this.#end.outcomeWithoutClient);
  }

  #endAs(outcome: ProxyOutcome): void {
    const { reader } = this;
    this.#state = ENDED;
    this.reader = null;
    this.#end.tell(outcome, this.#tunnel, reader);
  }
}
