import { FAULTS, type Fault } from "@aigw/core/services";
import { PROBLEMS, type Problem, problemBody } from "../http-errors.ts";
import { askUsage } from "../meters/ask-usage.ts";
import type { CallReader } from "../meters/call-reader.ts";
import type { Reading, ReadingSink } from "../meters/reading.ts";
import type { UsageEventFilter } from "../meters/usage-event-filter.ts";
import { filterFor, mayAsk } from "./asking.ts";
import type { Balance } from "./balance.ts";
import type { Call, CallResult, ExchangeOwner, TimedExchange, Upstream } from "./call.ts";
import { destroyClient, flushHead, sendContent, sendHead, sendInterim, sendSwitch } from "./client-side.ts";
import { refuse, refuseAndClose, refuseAndCut } from "./lingering-close.ts";
import { requestFields } from "./request-fields.ts";
import { responseFields, trailerFields } from "./response-fields.ts";
import { isRetriable, isRetried, mayGoElsewhere } from "./retry.ts";
import type { Route } from "./route.ts";
import { STEP_MS } from "./send-queues.ts";
import type { TargetState } from "./target-state.ts";
import { Upload, type UploadHandler } from "./upload.ts";
import type { Connection, ResponseHandler } from "./upstream/connection.ts";
import type { ResponseHead } from "./upstream/response-head.ts";
import { failureOf, faultOf, TIMED_OUT } from "./upstream-failure.ts";
import { accepts, isUpgrade, switchFields } from "./websocket/handshake.ts";
import { Tunnel, type TunnelEnd } from "./websocket/tunnel.ts";

type Outcome = CallResult["outcome"];

/** No response headers yet. */
const WAITING = 0;
/** The upstream's response is being passed on. */
const STREAMING = 1;
/** The answer is complete, the upstream's or our own; the client may still have to take it. */
const ANSWERED = 2;
const ENDED = 3;

const NO_FIELDS: readonly string[] = [];

/** One call under way, and what its connection tells: one object, so that a call costs no closures to speak of. */
export class UpstreamExchange<C extends Call> implements TimedExchange<C>, ResponseHandler, UploadHandler, ReadingSink {
  place = 0;
  readonly call: C;
  readonly #owner: ExchangeOwner<C>;
  /** Of the service that was called, or of the one that stands in for it. */
  #balance: Balance;
  /** The one that was chosen last; undefined when no target takes calls. */
  #route: Route | undefined;
  /** As long as the call is one of its open ones. */
  #target: TargetState | undefined;
  #state: typeof WAITING | typeof STREAMING | typeof ANSWERED | typeof ENDED = WAITING;
  #connection: Connection | undefined;
  /** Of a WebSocket, behind its handshake: all that moves is its own. */
  #tunnel: Tunnel | undefined;
  /** Undefined for a request without content. */
  #upload: Upload | undefined;
  #mayRetry = true;
  #outcome: Outcome = "ok";
  #fault: Fault | undefined;
  #error: Error | undefined;
  #dispatchedAt = 0;
  /** When the upstream had the whole request; it has `timeoutMs` from then. Infinity while a body is being sent. */
  #requestSentAt = Number.POSITIVE_INFINITY;
  #lastByteAt = 0;
  #upstreamMs = -1;
  #contentLength = -1;
  /** The response's, until it goes out: with the first content, or alone when none came with it. */
  #head: ResponseHead | undefined;
  /** The client does not keep pace, and the connection waits for it. */
  #held = false;
  #bytesOut = 0;
  /** Sees what was handed on, as long as the call lasts; null without a meter, and behind the call's end. */
  #reader: CallReader | null;
  /** The content that goes in place of the client's: it asks for a stream's totals. */
  #asked: Buffer | undefined;
  /** Takes them out again. */
  #filter: UsageEventFilter | undefined;
  #trailers: readonly string[] = NO_FIELDS;
  #isWhole = false;
  /** Of a call that has ended, while its reading is waited for: its result but for that, and who reads. */
  #result: CallResult | undefined;
  #lateReader: CallReader | undefined;
  #endedAt = 0;

  constructor(call: C, balance: Balance, owner: ExchangeOwner<C>) {
    const now = owner.clock();
    this.call = call;
    this.#owner = owner;
    this.#balance = balance;
    this.#lastByteAt = now;
    this.#route = balance.pick(now) ?? this.#pickStandIn(now);
    this.#reader = this.#startReader();
  }

  start(): void {
    const { incoming, outgoing, expectsContinue } = this.call;
    outgoing.on("close", () => this.#clientClosed());
    // The client left before its call was forwarded; nobody will say so again, and the next sweep ends the call.
    if (incoming.socket.destroyed) return;
    const route = this.#route;
    if (route === undefined) {
      this.#fail("no_target", "upstream_error");
      return;
    }
    this.#enter(route);
    const { "content-length": length, "transfer-encoding": coding } = incoming.headers;
    const declared = coding !== undefined ? -1 : length === undefined ? 0 : Number(length);
    if (declared === 0) {
      this.#dispatch(null);
      return;
    }
    if (expectsContinue) outgoing.writeContinue();
    this.#upload = new Upload(incoming, this, this.#balance.hasOthers);
    if (route.upstream.asksUsage === true && mayAsk(incoming, this.call.rest)) this.#upload.startWhole();
    else this.#upload.start(declared);
  }

  onUploadReady(content: Buffer | undefined): void {
    if (this.#state === WAITING) this.#dispatch(content);
  }

  onUploadWhole(content: Buffer): void {
    if (this.#state !== WAITING) return;
    const asked = askUsage(content);
    if (asked !== null) {
      this.#asked = asked;
      this.#upload?.replaceBy(asked);
    }
    this.#dispatch(asked ?? content);
  }

  /** @param content whole; null: none; undefined: it streams */
  #dispatch(content: Buffer | null | undefined): void {
    // As in start(): it may have left since.
    if (this.call.incoming.socket.destroyed) return;
    const route = this.#route;
    if (route === undefined) return;
    const { pool } = route;
    const now = this.#owner.clock();
    this.#dispatchedAt = now;
    this.#lastByteAt = now;
    if (content !== undefined) this.#requestSentAt = now;
    if (isUpgrade(this.call.incoming)) {
      this.#send(content, pool.open(), route);
      return;
    }
    const waitMs = pool.waitMs(now);
    if (waitMs < 0) this.#send(content, pool.take(), route);
    else {
      const send = (): void => {
        // A client that left meanwhile ends the call with the next sweep.
        if (this.#state === WAITING && !this.call.incoming.socket.destroyed) this.#send(content, pool.take(), route);
      };
      if (waitMs === 0) setImmediate(send);
      else setTimeout(send, waitMs);
    }
  }

  #send(content: Buffer | null | undefined, connection: Connection, route: Route): void {
    this.#request(content, connection, route);
    if (this.#reader !== null) this.#readRequest(this.#reader, content);
    if (content === undefined) this.#upload?.pump(connection);
  }

  #request(content: Buffer | null | undefined, connection: Connection, route: Route): void {
    this.#connection = connection;
    const { call } = this;
    const { incoming, rest } = call;
    const fields = requestFields(call, route.service, this.#asked?.length);
    const host = route.upstream.sendsClientHost === true ? call.host : undefined;
    const method = incoming.method ?? "GET";
    connection.request(method, route.target(rest), fields, content, this, host, isUpgrade(incoming));
  }

  /** The call is one of this target's open ones from now on. */
  #enter(route: Route): void {
    this.#route = route;
    this.#target = route.state;
    route.state.begun(this);
  }

  /** The upstream that the call goes to. */
  get #upstream(): Upstream {
    return this.#route?.upstream ?? this.call.upstream;
  }

  #startReader(): CallReader | null {
    // A preflight is nobody's, and worth nothing.
    return this.call.clientName === "" ? null : (this.#upstream.meter?.start() ?? null);
  }

  /** @returns the target to go to of the service that takes the calls while this one is down */
  #pickStandIn(now: number, except?: Route): Route | undefined {
    const { upstream } = this.call;
    if (upstream.fallback === undefined) return undefined;
    const standIn = this.#owner.standIn(upstream);
    const route = standIn?.pick(now, except);
    if (standIn !== undefined && route !== undefined) this.#balance = standIn;
    return route;
  }

  #readRequest(reader: CallReader, content: Buffer | null | undefined): void {
    reader.onRequestHead(this.call.incoming.rawHeaders);
    if (content === undefined) return;
    if (content !== null) reader.onRequestContent(content);
    reader.onRequestEnd();
  }

  onUploadMoved(): void {
    this.#lastByteAt = this.#owner.clock();
  }

  onUploadSent(bytes: Buffer): void {
    this.#reader?.onRequestContent(bytes);
  }

  onUploaded(): void {
    this.#reader?.onRequestEnd();
    this.#requestSentAt = this.#owner.clock();
  }

  onDrain(): void {
    this.#lastByteAt = this.#owner.clock();
    this.#upload?.resume();
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
      if (outcome === "incomplete") this.#lateReader?.stop();
      return;
    }
    const { outgoing, requestId } = this.call;
    if (outcome === "incomplete" || outgoing.headersSent) {
      this.#breakOff(outcome);
      return;
    }
    const problem: Problem = { code: "invalid_token", detail: "The token is no longer valid.", requestId };
    const challenge = 'Bearer realm="aigw", error="invalid_token"';
    this.#answer(problem, outcome, refuseAndCut, ["WWW-Authenticate", challenge]);
  }

  checkTime(now: number): void {
    if (this.#state === ENDED) return;
    if (this.#tunnel !== undefined) {
      this.#tunnel.checkTime(now);
      return;
    }
    const { incoming } = this.call;
    const upstream = this.#upstream;
    if (incoming.socket.destroyed) {
      // One that left before its call was forwarded is not told of again.
      this.#clientClosed();
    } else if (this.#state === WAITING && isUpgrade(incoming) && incoming.socket.readableEnded) {
      // No parser says that it has left; that it is closed comes next.
      incoming.socket.destroy();
    } else if (this.#state === WAITING && this.#requestSentAt !== Number.POSITIVE_INFINITY) {
      if (now - this.#requestSentAt >= upstream.timeoutMs) this.#fail("answer_timeout", "timeout");
    } else if (now - this.#lastByteAt >= upstream.idleTimeoutMs / 4) this.#checkMovement(now);
  }

  /** Nothing has moved for a while, as far as the writes and reads show. */
  #checkMovement(now: number): void {
    const { outgoing } = this.call;
    const upstream = this.#upstream;
    const isTaking = this.#held || this.#state === ANSWERED;
    const taker = isTaking ? outgoing.socket : this.#upload?.isHeld ? this.#connection?.socket : undefined;
    // An answer without a socket has just left it.
    if (taker === null || (taker !== undefined && this.#owner.sendQueues.moved(taker, this.#lastByteAt, now))) {
      this.#lastByteAt = now;
    } else if (now - this.#lastByteAt >= Math.max(upstream.idleTimeoutMs, taker === undefined ? 0 : STEP_MS)) {
      this.#standsStill(isTaking || (this.#upload?.isComplete === false && !this.#upload.isHeld));
    }
  }

  /** @param isClient it is the client that does not take, or does not send; else the upstream */
  #standsStill(isClient: boolean): void {
    if (this.#state !== WAITING) {
      if (isClient) this.#breakOff(this.#outcomeWithoutClient());
      else this.#breakOff("incomplete", "answer_stalled");
    } else if (isClient) {
      const detail = "The rest of the request did not arrive in time.";
      this.#answer({ code: "request_timeout", detail, requestId: this.call.requestId }, "aborted", refuseAndClose);
    } else this.#fail("upload_stalled", "timeout");
  }

  onInterim(head: ResponseHead): void {
    if (this.#state === WAITING) sendInterim(this.call, head, this.#passedOn(head));
  }

  onHead(head: ResponseHead, contentLength: number): void {
    const now = this.#owner.clock();
    this.#upstreamMs = now - this.#dispatchedAt;
    this.#lastByteAt = now;
    this.#contentLength = contentLength;
    this.#target?.answered();
    this.#upload?.forget();
    if (head.status === 101) {
      this.#switch(head);
      return;
    }
    this.#head = head;
    this.#state = STREAMING;
  }

  /** The connection is a WebSocket from now on, if it is the one that was asked for. */
  #switch(head: ResponseHead): void {
    const { incoming } = this.call;
    const connection = this.#connection as Connection;
    if (!accepts(incoming, head)) {
      this.#fail("switched_protocols", "upstream_error");
      return;
    }
    this.#target?.completed();
    this.#reader?.onHead(head.status, head.fields);
    this.#state = STREAMING;
    const fields = [...this.#passedOn(head), ...switchFields(incoming, head)];
    const tunnel = new Tunnel({
      client: sendSwitch(this.call, head, fields),
      connection,
      idleTimeoutMs: this.#upstream.idleTimeoutMs,
      owner: this.#owner,
      onEnd: (end) => this.#tunnelEnded(end),
    });
    this.#tunnel = tunnel;
    tunnel.start();
    if (this.#owner.isGoingAway) tunnel.cut("goingAway");
  }

  #tunnelEnded({ outcome, fault }: TunnelEnd): void {
    this.#fault = fault;
    this.#isWhole = outcome === "ok";
    this.#leave();
    this.#end(outcome);
  }

  #sendHead(head: ResponseHead): void {
    const { status, reason } = head;
    this.#head = undefined;
    if (this.#asked !== undefined) this.#filter = filterFor(head.fields);
    if (status >= 500) this.#outcome = "upstream_error";
    sendHead(this.call, status, reason, this.#passedOn(head), this.#upload?.isComplete === false);
    this.#reader?.onHead(status, head.fields);
  }

  #passedOn({ status, fields }: ResponseHead): string[] {
    return responseFields(fields, status, (this.#route as Route).address, this.call);
  }

  onContent(bytes: Buffer): void {
    const { outgoing } = this.call;
    this.#lastByteAt = this.#owner.clock();
    if (this.#head !== undefined) this.#sendHead(this.#head);
    if (this.#filter !== undefined) {
      const goesOn = this.#sendFiltered(this.#filter.push(bytes));
      this.#reader?.onContent(bytes);
      if (!goesOn) this.#hold();
      return;
    }
    const isFirst = this.#bytesOut === 0;
    this.#bytesOut += bytes.length;
    const isLast = this.#bytesOut === this.#contentLength;
    if (isLast) this.#state = ANSWERED;
    const mayGoOn = sendContent(outgoing, bytes, isFirst, isLast);
    this.#reader?.onContent(bytes);
    if (!mayGoOn) this.#hold();
  }

  /** The client does not keep pace. */
  #hold(): void {
    // One read may hold thousands of small chunks: one of them waits for all.
    if (this.#held) return;
    this.#held = true;
    this.#connection?.pause();
    this.call.outgoing.once("drain", () => {
      this.#held = false;
      this.#lastByteAt = this.#owner.clock();
      this.#connection?.resume();
    });
  }

  /** @returns false: wait for `drain` */
  #sendFiltered(pieces: readonly Buffer[]): boolean {
    const { outgoing } = this.call;
    let mayGoOn = true;
    // Of an answer that begins with what is held back, the head need not wait for it.
    if (pieces.length === 0 && this.#bytesOut === 0) flushHead(outgoing);
    for (const piece of pieces) {
      this.#bytesOut += piece.length;
      mayGoOn = sendContent(outgoing, piece, false, false);
    }
    return mayGoOn;
  }

  onReadEnd(): void {
    if (this.#head === undefined) return;
    this.#sendHead(this.#head);
    flushHead(this.call.outgoing);
  }

  onEnd(trailers: readonly string[]): void {
    this.#target?.completed();
    this.#leave();
    this.#isWhole = true;
    this.#trailers = trailers;
    if (this.#state !== STREAMING) return;
    if (this.#head !== undefined) this.#sendHead(this.#head);
    if (this.#filter !== undefined) this.#sendFiltered(this.#filter.end());
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
    const fault = faultOf(error, connection, this.#state === STREAMING ? this.#contentLength : undefined);
    if (this.#state === STREAMING && this.#head === undefined) {
      this.#breakOff("incomplete", fault);
    } else if (!this.#mayRetry || !this.#sendAgain(connection, error, fault)) {
      this.#fail(fault, FAULTS[fault].kind === "gateway" ? "denied" : "upstream_error");
    }
  }

  /** Sends the request once more where it can do no harm. @returns false when there is nowhere to */
  #sendAgain(failed: Connection, error: Error, fault: Fault): boolean {
    const { method } = this.call.incoming;
    const elsewhere = this.#elsewhere(failed, fault);
    if (elsewhere === undefined) {
      const mayRepeat = this.#upload === undefined && isRetried(method) && isRetriable(failed, error);
      if (!mayRepeat) return false;
    } else {
      this.#blame(fault);
      this.#target?.ended(this);
      this.#enter(elsewhere);
      this.#owner.wentElsewhere(this.call.upstream);
    }
    const route = this.#route as Route;
    this.#mayRetry = false;
    this.#error = undefined;
    const upload = this.#upload;
    // On a new connection, so that it cannot happen again.
    this.#request(upload === undefined ? null : undefined, route.pool.open(), route);
    if (elsewhere?.upstream.standsIn === true) this.#readAgain();
    upload?.replay(this.#connection as Connection);
    return true;
  }

  #elsewhere(failed: Connection, fault: Fault): Route | undefined {
    const isHere = FAULTS[fault].kind === "gateway";
    const isAllThere = this.#upload === undefined || this.#upload.kept !== undefined;
    if (isHere || !this.#balance.hasOthers || !isAllThere) return undefined;
    if (!mayGoElsewhere(failed, this.call.incoming.method)) return undefined;
    const now = this.#owner.clock();
    return this.#balance.pick(now, this.#route) ?? this.#pickStandIn(now, this.#route);
  }

  /** The service that stands in has a meter of its own. */
  #readAgain(): void {
    this.#reader = this.#startReader();
    const reader = this.#reader;
    if (reader === null) return;
    reader.onRequestHead(this.call.incoming.rawHeaders);
    for (const chunk of this.#upload?.kept ?? []) reader.onRequestContent(chunk);
    if (this.#upload?.isComplete !== false) reader.onRequestEnd();
  }

  /** It is the target's fault that there is no whole answer. */
  #blame(fault: Fault): void {
    this.#target?.failed(this, fault, this.#owner.clock());
  }

  /** Answers with the gateway's own 502 or 504. */
  #fail(fault: Fault, outcome: Outcome): void {
    const isLate = outcome === "timeout";
    this.#fault = isLate && this.#connection?.opening === true ? "connect_timeout" : fault;
    this.#blame(this.#fault);
    const { code, detail } = isLate ? TIMED_OUT : failureOf(fault);
    // There may have been a head, with something behind it that made all of it invalid.
    this.#upstreamMs = -1;
    const fields = PROBLEMS[code].status === 503 ? ["Retry-After", this.#retryAfter(code)] : NO_FIELDS;
    this.#answer({ code, detail, requestId: this.call.requestId }, outcome, refuse, fields);
  }

  /** Seconds: until a target may be tried again, or for what passes soon. */
  #retryAfter(code: Problem["code"]): string {
    if (code !== "service_down") return "5";
    const { everyMs = 0 } = this.call.upstream.health ?? {};
    const waitMs = Math.max(everyMs, this.#balance.restMs(this.#owner.clock()));
    return String(Math.max(1, Math.ceil(waitMs / 1_000)));
  }

  #answer(problem: Problem, outcome: Outcome, by: typeof refuse, fields: readonly string[] = []): void {
    const { incoming, outgoing, responseFields, cors } = this.call;
    this.#abortUpstream();
    this.#state = ANSWERED;
    this.#outcome = outcome;
    this.#lastByteAt = this.#owner.clock();
    if (incoming.method !== "HEAD") this.#bytesOut = Buffer.byteLength(problemBody(problem));
    by(incoming, outgoing, problem, [...responseFields, ...cors.own, ...fields]);
  }

  /** The rest of the response will not come, or not be taken: the client must see that. */
  #breakOff(outcome: Outcome, fault?: Fault): void {
    this.#fault ??= fault;
    if (fault !== undefined) this.#blame(fault);
    this.#abortUpstream();
    destroyClient(this.call.outgoing, this.#contentLength >= 0);
    this.#end(outcome);
  }

  #abortUpstream(): void {
    this.#connection?.destroy();
    this.#leave();
  }

  #leave(): void {
    this.#connection = undefined;
    this.#upload?.abandon();
    const target = this.#target;
    if (target === undefined) return;
    this.#target = undefined;
    target.ended(this);
    this.call.onServed?.();
  }

  #clientClosed(): void {
    if (this.#state === ENDED) return;
    const complete = this.#state === ANSWERED && this.call.outgoing.writableFinished;
    this.#abortUpstream();
    this.#end(complete ? this.#outcome : this.#outcomeWithoutClient());
  }

  /** The outcome when the client has not taken all of the answer. */
  #outcomeWithoutClient(): Outcome {
    return this.#outcome === "revoked" || this.#outcome === "timeout" ? this.#outcome : "aborted";
  }

  #end(outcome: Outcome): void {
    const { outgoing } = this.call;
    this.#state = ENDED;
    const result: CallResult = {
      outcome,
      status: this.#tunnel !== undefined ? 101 : outgoing.headersSent ? outgoing.statusCode : 0,
      bytesIn: this.#tunnel?.bytesIn ?? this.#upload?.bytes ?? 0,
      bytesOut: this.#tunnel?.bytesOut ?? this.#bytesOut,
      serviceMs: this.#dispatchedAt === 0 ? 0 : this.#owner.clock() - this.#dispatchedAt,
      ...(this.#upstreamMs >= 0 && { upstreamMs: this.#upstreamMs }),
      ...(this.#upstream.standsIn === true && { fallback: this.#upstream.service }),
      ...(this.#fault && { fault: this.#fault }),
      ...(this.#error && { error: this.#error }),
    };
    const reader = this.#reader;
    if (reader === null) {
      this.#owner.ended(this);
      this.call.onEnd(result);
      return;
    }
    // It is somebody else's as soon as it has told its reading.
    this.#reader = null;
    this.#lateReader = reader;
    this.#result = result;
    this.#endedAt = this.#owner.clock();
    reader.onEnd(this.#trailers, this.#isWhole, this);
  }

  /** The last thing that happens to a call with a meter; nearly always within {@link UpstreamExchange.#end}. */
  onReading(reading: Reading): void {
    const result = this.#result;
    if (result === undefined) return;
    this.#result = undefined;
    this.#lateReader = undefined;
    this.#owner.ended(this);
    this.call.onEnd({ ...result, reading, lateMs: this.#owner.clock() - this.#endedAt });
  }
}
