import type { Fault } from "@aigw/core/services";
import { ChunkedContent } from "./chunked-content.ts";
import { headFault } from "./head-fault.ts";
import {
  beginsAsHead,
  type Framing,
  framingOf,
  MAX_HEAD,
  mayBecomeHead,
  parseHead,
  type ResponseHead,
} from "./response-head.ts";

/** Whom a response is told to, piece by piece. It may call {@link ResponseParser.stop} at any time. */
export interface ResponseSink {
  /** Of one that comes before the final one. 100 is left out: the proxy has told the client so itself. */
  onInterim(head: ResponseHead): void;
  /** Of the final response. @param contentLength −1 when the upstream does not say */
  onHead(head: ResponseHead, contentLength: number): void;
  /** @param bytes are overwritten after the call */
  onContent(bytes: Buffer): void;
}

/** The response is not valid HTTP/1.x, or not one to the request. */
const INVALID = -1;
const HEAD_END = "\r\n\r\n";
/** A long job may say every quarter of a minute that it goes on; what comes beyond is read and forgotten. */
const MAX_INTERIM = 256;

/** A longer one is not kept for the next response: it stays for as long as the connection does. */
const MOST_KEPT = 2 * 1024;

const NONE = 0;
const HEAD = 1;
const LENGTH = 2;
const CHUNKED = 3;
const UNTIL_CLOSE = 4;

/**
 * Reads the responses of one connection, one at a time (RFC 9112). Strict: where two readers could disagree about where
 * a response ends, it is refused, because the next client on this connection would get the difference.
 */
export class ResponseParser {
  #state: typeof NONE | typeof HEAD | typeof LENGTH | typeof CHUNKED | typeof UNTIL_CLOSE = NONE;
  #sink: ResponseSink | undefined;
  #isHead = false;
  /** Another protocol was asked for. */
  #upgrades = false;
  /** A status line has been read since the request was sent. */
  #begun = false;
  #interims = 0;
  #foreign = false;
  /** The beginning of a head whose end has not arrived. */
  #held: Buffer | undefined;
  /** The last final one, and its text: one like it, as most are for a second, is not read again. */
  #known: { readonly text: string; readonly head: ResponseHead } | undefined;
  #left = 0;
  readonly #maxHead: number;
  #framing: Framing | undefined;
  #chunked: ChunkedContent | undefined;
  #trailers: readonly string[] = [];
  #fault: Fault = "not_http";

  /** @param maxHead the most that a head may have, bytes */
  constructor(maxHead: number = MAX_HEAD) {
    this.#maxHead = maxHead;
  }

  /** A request was sent; what comes now is its response. @param upgrades it asked for another protocol */
  start(method: string, sink: ResponseSink, upgrades = false): void {
    this.#state = HEAD;
    this.#sink = sink;
    this.#isHead = method === "HEAD";
    this.#upgrades = upgrades;
    this.#begun = false;
    this.#interims = 0;
    this.#foreign = false;
    this.#framing = undefined;
    this.#trailers = [];
  }

  /** What follows a 101 is somebody else's. */
  handOver(sink: ResponseSink): void {
    this.#sink = sink;
  }

  /** Nothing more is wanted. */
  stop(): void {
    this.#state = NONE;
    this.#sink = undefined;
  }

  /** A response was asked for and is not complete. */
  get busy(): boolean {
    return this.#state !== NONE;
  }

  /** What was wrong with the bytes that {@link read} refused. */
  get fault(): Fault {
    return this.#fault;
  }

  /** What came where the response should begin is not HTTP at all: on a used connection, the rest of an earlier answer. */
  get foreign(): boolean {
    return this.#foreign;
  }

  /** Of the last complete response: what came after its content; name, value, name, value … */
  get trailers(): readonly string[] {
    return this.#trailers;
  }

  /** How long the connection may be kept after the last complete response, milliseconds; 0: not at all. */
  get keepAliveMs(): number {
    return this.#framing?.persistent === true ? this.#framing.keepAliveMs : 0;
  }

  /** @returns false when they are not what may come now */
  read(bytes: Buffer): boolean {
    for (let at = 0; at < bytes.length; ) {
      const state = this.#state;
      if (state === NONE) return false;
      if (state === HEAD) at = this.#head(bytes, at);
      else if (state === CHUNKED) at = this.#chunks(bytes, at);
      else at = this.#content(bytes, at);
      if (at === INVALID) return false;
    }
    return true;
  }

  /** The upstream has sent its last byte. @returns whether that completes the response */
  end(): boolean {
    if (this.#state !== UNTIL_CLOSE) return false;
    this.#state = NONE;
    return true;
  }

  #head(bytes: Buffer, at: number): number {
    const known = this.#known;
    if (known !== undefined && this.#held === undefined) {
      const behind = at + known.text.length;
      if (bytes.toString("latin1", at, behind) === known.text) {
        return this.#begin(known.head) ? behind : this.#refuse(headFault(bytes.subarray(at, behind), this.#maxHead));
      }
    }
    const all = this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes.subarray(at)]);
    const start = this.#held === undefined ? at : 0;
    if (!beginsAsHead(all, start)) {
      this.#foreign = !this.#begun;
      return this.#refuse(headFault(all.subarray(start), this.#maxHead));
    }
    const end = all.indexOf(HEAD_END, start, "latin1");
    if (end < 0) {
      this.#held = Buffer.from(all.subarray(start));
      const valid = this.#held.length <= this.#maxHead && mayBecomeHead(this.#held.toString("latin1"));
      return valid ? bytes.length : this.#refuse(headFault(this.#held, this.#maxHead));
    }
    this.#held = undefined;
    const text = end - start > this.#maxHead ? "" : all.toString("latin1", start, end + 2);
    const head = parseHead(text);
    if (head === undefined || !this.#begin(head))
      return this.#refuse(headFault(all.subarray(start, end + 2), this.#maxHead));
    if (head.status >= 200) this.#known = text.length <= MOST_KEPT ? { text: `${text}\r\n`, head } : undefined;
    return bytes.length - (all.length - end - HEAD_END.length);
  }

  #begin(head: ResponseHead): boolean {
    const { status, minor } = head;
    this.#begun = true;
    if (status < 200) {
      if (status === 101 && this.#upgrades) {
        this.#state = UNTIL_CLOSE;
        this.#sink?.onHead(head, -1);
        return true;
      }
      // Nobody asked for another protocol.
      if (status === 101 || minor === 0) return false;
      if (status !== 100 && this.#interims < MAX_INTERIM) {
        this.#interims += 1;
        this.#sink?.onInterim(head);
      }
      return true;
    }
    const framing = framingOf(head);
    if (framing === undefined) return false;
    this.#framing = framing;
    if (this.#isHead || status === 204 || status === 304) {
      // Servers that send content all the same are common, and send it a little later: see decision 016.
      this.#framing = { ...framing, persistent: false };
      this.#state = NONE;
    } else if (framing.length === 0) this.#state = NONE;
    else if (framing.chunked) {
      this.#chunked = new ChunkedContent();
      this.#state = CHUNKED;
    } else if (framing.length > 0) {
      this.#left = framing.length;
      this.#state = LENGTH;
    } else {
      this.#framing = { ...framing, persistent: false };
      this.#state = UNTIL_CLOSE;
    }
    this.#sink?.onHead(head, framing.length);
    return true;
  }

  #refuse(fault: Fault): typeof INVALID {
    this.#fault = fault;
    return INVALID;
  }

  #content(bytes: Buffer, at: number): number {
    const length = bytes.length - at;
    const taken = this.#state === UNTIL_CLOSE ? length : Math.min(length, this.#left);
    if (this.#state === LENGTH) {
      this.#left -= taken;
      if (this.#left === 0) this.#state = NONE;
    }
    this.#sink?.onContent(taken === bytes.length ? bytes : bytes.subarray(at, at + taken));
    return at + taken;
  }

  #chunks(bytes: Buffer, at: number): number {
    const chunked = this.#chunked;
    if (chunked === undefined) return INVALID;
    const next = chunked.read(bytes, at, this);
    if (next === INVALID) return this.#refuse(chunked.fault);
    if (chunked.trailers !== undefined && this.#state === CHUNKED) {
      this.#trailers = chunked.trailers;
      this.#state = NONE;
    }
    return next;
  }

  /** For {@link ChunkedContent}. @returns false when nothing more is wanted */
  onChunkData(bytes: Buffer): boolean {
    this.#sink?.onContent(bytes);
    return this.#state === CHUNKED;
  }
}
