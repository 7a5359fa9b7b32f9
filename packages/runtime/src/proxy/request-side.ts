import { askUsage } from "../meters/ask-usage.ts";
import type { CallReader } from "../meters/call-reader.ts";
import { mayAsk } from "./asking.ts";
import type { Call } from "./call.ts";
import { requestFields } from "./request-fields.ts";
import type { Route } from "./route.ts";
import { Upload, type UploadHandler } from "./upload.ts";
import type { Connection, ResponseHandler } from "./upstream/connection.ts";
import { isUpgrade } from "./websocket/handshake.ts";

/** The call whose request and answer they are. */
export interface RequestOwner extends ResponseHandler {
  readonly call: Call;
  /** Nothing of an answer has come, and the call has not ended. */
  readonly isWaiting: boolean;
  /** Sees what was handed on, as long as the call lasts; null without a meter. */
  readonly reader: CallReader | null;
  /** Monotonic, milliseconds. */
  now(): number;
  /** A byte has moved, or is about to. */
  movedAt(now: number): void;
}

/** One request on its way to the upstream. */
export class RequestSide implements UploadHandler {
  /** That the request is on; undefined before it is sent, and behind the upstream's part of the call. */
  connection: Connection | undefined;
  /** By the owner's clock; 0 before. */
  dispatchedAt = 0;
  /** When the upstream had the whole request; it has `timeoutMs` from then. Infinity while a body is being sent. */
  sentAt: number = Number.POSITIVE_INFINITY;
  readonly #owner: RequestOwner;
  #route: Route | undefined;
  /** Undefined for a request without content. */
  #upload: Upload | undefined;
  /** The content that goes in place of the client's: it asks for a stream's totals. */
  #asked: Buffer | undefined;

  constructor(owner: RequestOwner) {
    this.#owner = owner;
  }

  /** Received from the client, bytes of content. */
  get bytes(): number {
    return this.#upload?.bytes ?? 0;
  }

  /** The client has still to send some of it. */
  get isOutstanding(): boolean {
    return this.#upload?.isComplete === false;
  }

  /** The upstream does not take it at the pace at which it comes, and the client is not read. */
  get isHeld(): boolean {
    return this.#upload?.isHeld === true;
  }

  get hasContent(): boolean {
    return this.#upload !== undefined;
  }

  /** It can be sent again: it has no content, or all that was passed on is kept. */
  get isAllThere(): boolean {
    return this.#upload === undefined || this.#upload.kept !== undefined;
  }

  /** The upstream was asked for totals that the client did not ask for. */
  get asksTotals(): boolean {
    return this.#asked !== undefined;
  }

  /** @param keeps it may be wanted again: see {@link again} */
  start(route: Route, keeps: boolean): void {
    this.#route = route;
    const { incoming, outgoing, expectsContinue, rest } = this.#owner.call;
    const { "content-length": length, "transfer-encoding": coding } = incoming.headers;
    const declared = coding !== undefined ? -1 : length === undefined ? 0 : Number(length);
    if (declared === 0) {
      this.#dispatch(null);
      return;
    }
    if (expectsContinue) outgoing.writeContinue();
    this.#upload = new Upload(incoming, this, keeps);
    if (route.upstream.asksUsage === true && mayAsk(incoming, rest)) this.#upload.startWhole();
    else this.#upload.start(declared);
  }

  /** Sends it once more, on a new connection, so that what became of it on the first cannot happen again. */
  again(route: Route): void {
    this.#route = route;
    const upload = this.#upload;
    const connection = route.pool.open();
    this.#request(upload === undefined ? null : undefined, connection, route);
    upload?.replay(connection);
  }

  /** Shows the reader what was passed on so far. */
  readAgain(reader: CallReader): void {
    reader.onRequestHead(this.#owner.call.incoming.rawHeaders);
    for (const chunk of this.#upload?.kept ?? []) reader.onRequestContent(chunk);
    if (!this.isOutstanding) reader.onRequestEnd();
  }

  /** It will not be sent again. */
  forget(): void {
    this.#upload?.forget();
  }

  /** The upstream takes more of it. */
  resume(): void {
    this.#upload?.resume();
  }

  /** The upstream is done with it: what the client still sends is thrown away. */
  leave(): void {
    this.connection = undefined;
    this.#upload?.abandon();
  }

  onUploadReady(content: Buffer | undefined): void {
    if (this.#owner.isWaiting) this.#dispatch(content);
  }

  onUploadWhole(content: Buffer): void {
    if (!this.#owner.isWaiting) return;
    const asked = askUsage(content);
    if (asked !== null) {
      this.#asked = asked;
      this.#upload?.replaceBy(asked);
    }
    this.#dispatch(asked ?? content);
  }

  onUploadMoved(): void {
    this.#owner.movedAt(this.#owner.now());
  }

  onUploadSent(bytes: Buffer): void {
    this.#owner.reader?.onRequestContent(bytes);
  }

  onUploaded(): void {
    this.#owner.reader?.onRequestEnd();
    this.sentAt = this.#owner.now();
  }

  /** @param content whole; null: none; undefined: it streams */
  #dispatch(content: Buffer | null | undefined): void {
    const { incoming } = this.#owner.call;
    const route = this.#route;
    // The client may have left since; the next sweep ends the call.
    if (route === undefined || incoming.socket.destroyed) return;
    const { pool } = route;
    const now = this.#owner.now();
    this.dispatchedAt = now;
    this.#owner.movedAt(now);
    if (content !== undefined) this.sentAt = now;
    if (isUpgrade(incoming)) {
      this.#send(content, pool.open(), route);
      return;
    }
    const waitMs = pool.waitMs(now);
    if (waitMs < 0) this.#send(content, pool.take(), route);
    else {
      const send = (): void => {
        if (this.#owner.isWaiting && !incoming.socket.destroyed) this.#send(content, pool.take(), route);
      };
      const until = now + waitMs;
      // Timers go by the event loop's time, which is behind on a busy machine: they come early by as much.
      const rest = (): void => {
        const leftMs = until - this.#owner.now();
        if (leftMs > 0) setTimeout(rest, Math.ceil(leftMs));
        else send();
      };
      if (waitMs === 0) setImmediate(send);
      else rest();
    }
  }

  #send(content: Buffer | null | undefined, connection: Connection, route: Route): void {
    this.#request(content, connection, route);
    const { reader } = this.#owner;
    if (reader !== null) this.#read(reader, content);
    if (content === undefined) this.#upload?.pump(connection);
  }

  #request(content: Buffer | null | undefined, connection: Connection, route: Route): void {
    this.connection = connection;
    const { call } = this.#owner;
    const { incoming, rest } = call;
    const fields = requestFields(call, route.service, this.#asked?.length);
    const host = route.upstream.sendsClientHost === true ? call.host : undefined;
    const method = incoming.method ?? "GET";
    connection.request(method, route.target(rest), fields, content, this.#owner, host, isUpgrade(incoming));
  }

  #read(reader: CallReader, content: Buffer | null | undefined): void {
    reader.onRequestHead(this.#owner.call.incoming.rawHeaders);
    if (content === undefined) return;
    if (content !== null) reader.onRequestContent(content);
    reader.onRequestEnd();
  }
}
