import type { Fault } from "@aigw/core/services";
import type { CallReader } from "../meters/call-reader.ts";
import type { Reading, ReadingSink } from "../meters/reading.ts";
import type { AnswerSide } from "./answer-side.ts";
import type { Call, CallResult, ExchangeOwner, TimedExchange } from "./call.ts";
import type { Destination } from "./destination.ts";
import type { RequestSide } from "./request-side.ts";
import type { Tunnel } from "./websocket/tunnel.ts";

export type ProxyOutcome = CallResult["outcome"];

const NO_TRAILERS: readonly string[] = [];

/** What is known of how a call goes, and how it is told when the call has ended. */
export class CallEnd<C extends Call> implements ReadingSink {
  /** When the client takes all of the answer. */
  outcome: ProxyOutcome = "ok";
  fault: Fault | undefined;
  error: Error | undefined;
  /** From dispatch to the upstream's head; −1: there is none. */
  upstreamMs = -1;
  trailers: readonly string[] = NO_TRAILERS;
  /** The upstream's answer came to its end. */
  isWhole = false;
  readonly #exchange: TimedExchange<C>;
  readonly #owner: ExchangeOwner<C>;
  readonly #destination: Destination<C>;
  readonly #request: RequestSide;
  readonly #answer: AnswerSide<C>;
  /** While the call's reading is waited for: its result but for that, and who reads. */
  #result: CallResult | undefined;
  #reader: CallReader | undefined;
  #endedAt = 0;

  constructor(
    exchange: TimedExchange<C>,
    owner: ExchangeOwner<C>,
    destination: Destination<C>,
    request: RequestSide,
    answer: AnswerSide<C>,
  ) {
    this.#exchange = exchange;
    this.#owner = owner;
    this.#destination = destination;
    this.#request = request;
    this.#answer = answer;
  }

  /** When the client has not taken all of the answer. */
  get outcomeWithoutClient(): ProxyOutcome {
    return this.outcome === "revoked" || this.outcome === "timeout" ? this.outcome : "aborted";
  }

  /**
   * To be called once; the call is told of at once without a meter, and nearly always with one.
   * @param tunnel of a WebSocket
   */
  tell(outcome: ProxyOutcome, tunnel: Tunnel | undefined, reader: CallReader | null): void {
    const { call } = this.#exchange;
    const { outgoing } = call;
    const { upstream } = this.#destination;
    const { bytes: bytesIn, dispatchedAt } = this.#request;
    const result: CallResult = {
      outcome,
      status: tunnel !== undefined ? 101 : outgoing.headersSent ? outgoing.statusCode : 0,
      bytesIn: tunnel?.bytesIn ?? bytesIn,
      bytesOut: tunnel?.bytesOut ?? this.#answer.bytes,
      serviceMs: dispatchedAt === 0 ? 0 : this.#owner.clock() - dispatchedAt,
      ...(this.upstreamMs >= 0 && { upstreamMs: this.upstreamMs }),
      ...(upstream.standsIn === true && { fallback: upstream.service }),
      ...(this.fault && { fault: this.fault }),
      ...(this.error && { error: this.error }),
    };
    if (reader === null) {
      this.#owner.ended(this.#exchange);
      call.onEnd(result);
      return;
    }
    this.#reader = reader;
    this.#result = result;
    this.#endedAt = this.#owner.clock();
    reader.onEnd(this.trailers, this.isWhole, this);
  }

  /** The reading is not waited for any longer. */
  stop(): void {
    this.#reader?.stop();
  }

  onReading(reading: Reading): void {
    const result = this.#result;
    if (result === undefined) return;
    this.#result = undefined;
    // It is somebody else's as soon as it has told its reading.
    this.#reader = undefined;
    this.#owner.ended(this.#exchange);
    this.#exchange.call.onEnd({ ...result, reading, lateMs: this.#owner.clock() - this.#endedAt });
  }
}
