import type { Socket } from "node:net";
import { type Problem, problemBody } from "../http-errors.ts";
import type { UsageEventFilter } from "../meters/usage-event-filter.ts";
import { filterFor, isEventStream } from "./asking.ts";
import type { Call } from "./call.ts";
import { destroyClient, flushHead, sendContent, sendHead, sendInterim, sendSwitch } from "./client-side.ts";
import type { Destination } from "./destination.ts";
import type { Refuse } from "./lingering-close.ts";
import type { RequestOwner, RequestSide } from "./request-side.ts";
import { responseFields, trailerFields } from "./response-fields.ts";
import type { Route } from "./route.ts";
import type { ResponseHead } from "./upstream/response-head.ts";
import { switchFields } from "./websocket/handshake.ts";

/** One answer on its way to the client: the upstream's, or the gateway's in place of it. */
export class AnswerSide<C extends Call> {
  /** Handed on, of the content. */
  bytes = 0;
  /** As the upstream says it; −1: it says nothing. */
  contentLength = -1;
  /** The client does not keep pace, and the connection waits for it. */
  isHeld = false;
  /** It is a stream of events, and has begun. */
  hasEvents = false;
  readonly #call: C;
  readonly #owner: RequestOwner;
  readonly #destination: Destination<C>;
  readonly #request: RequestSide;
  /** The upstream's, until it goes out: with the first content, or alone when none came with it. */
  #head: ResponseHead | undefined;
  /** Takes the event with the totals out that the client did not ask for. */
  #filter: UsageEventFilter | undefined;

  constructor(call: C, owner: RequestOwner, destination: Destination<C>, request: RequestSide) {
    this.#call = call;
    this.#owner = owner;
    this.#destination = destination;
    this.#request = request;
  }

  /** The upstream's head has come, and nothing of the answer has gone out. */
  get isUnsent(): boolean {
    return this.#head !== undefined;
  }

  sendInterim(head: ResponseHead): void {
    sendInterim(this.#call, head, this.#fields(head));
  }

  /** @returns the client's connection, which is a WebSocket's from then on */
  sendSwitch(head: ResponseHead): Socket {
    return sendSwitch(this.#call, head, [...this.#fields(head), ...switchFields(this.#call.incoming, head)]);
  }

  begin(head: ResponseHead): void {
    this.#head = head;
  }

  /** Whether the answer ends with this content. */
  endsWith(bytes: Buffer): boolean {
    return this.bytes + bytes.length === this.contentLength;
  }

  /** @param bytes are copied */
  send(bytes: Buffer): void {
    if (this.#head !== undefined) this.#sendHead(this.#head);
    const mayGoOn = this.#filter === undefined ? this.#sendContent(bytes) : this.#sendPieces(this.#filter.push(bytes));
    this.#owner.reader?.onContent(bytes);
    if (!mayGoOn) this.#hold();
  }

  /** Nothing more has come with it. */
  flush(): void {
    if (this.#head === undefined) return;
    this.#sendHead(this.#head);
    flushHead(this.#call.outgoing);
  }

  /** Of an answer that does not end with its content. */
  end(trailers: readonly string[]): void {
    const { outgoing } = this.#call;
    if (this.#head !== undefined) this.#sendHead(this.#head);
    if (this.#filter !== undefined) this.#sendPieces(this.#filter.end());
    if (trailers.length > 0 && outgoing.chunkedEncoding) outgoing.addTrailers(trailerFields(trailers));
    outgoing.end();
  }

  /** Says the gateway's own in place of the upstream's. */
  refuse(problem: Problem, by: Refuse, fields: readonly string[]): void {
    const { incoming, outgoing, responseFields, cors } = this.#call;
    if (incoming.method !== "HEAD") this.bytes = Buffer.byteLength(problemBody(problem));
    by(incoming, outgoing, problem, [...responseFields, ...cors.own, ...fields]);
  }

  /** The rest will not come, or not be taken: the client must see that. */
  breakOff(): void {
    destroyClient(this.#call.outgoing, this.contentLength >= 0);
  }

  /** Those of the upstream's fields that are passed on. */
  #fields({ status, fields }: ResponseHead): string[] {
    return responseFields(fields, status, (this.#destination.route as Route).address, this.#call);
  }

  #sendHead(head: ResponseHead): void {
    const { status, fields } = head;
    this.#head = undefined;
    if (this.#request.asksTotals) this.#filter = filterFor(fields);
    this.hasEvents = this.contentLength < 0 && isEventStream(fields);
    const own = this.#fields(head);
    sendHead(this.#call, head, own, this.contentLength >= 0, this.#request.isOutstanding);
    this.#owner.reader?.onHead(status, fields);
  }

  /** @returns false: wait for `drain` */
  #sendContent(bytes: Buffer): boolean {
    const isFirst = this.bytes === 0;
    this.bytes += bytes.length;
    return sendContent(this.#call.outgoing, bytes, isFirst, this.bytes === this.contentLength);
  }

  /** @returns false: wait for `drain` */
  #sendPieces(pieces: readonly Buffer[]): boolean {
    const { outgoing } = this.#call;
    let mayGoOn = true;
    // Of an answer that begins with what is held back, the head need not wait for it.
    if (pieces.length === 0 && this.bytes === 0) flushHead(outgoing);
    for (const piece of pieces) {
      this.bytes += piece.length;
      mayGoOn = sendContent(outgoing, piece, false, false);
    }
    return mayGoOn;
  }

  #hold(): void {
    // One read may hold thousands of small chunks: one of them waits for all.
    if (this.isHeld) return;
    this.isHeld = true;
    this.#request.connection?.pause();
    this.#call.outgoing.once("drain", () => {
      this.isHeld = false;
      this.#owner.movedAt(this.#owner.now());
      this.#request.connection?.resume();
    });
  }
}
