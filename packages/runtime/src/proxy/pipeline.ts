import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Takes a request over, and answers it. */
export type Handle = (incoming: IncomingMessage, outgoing: ServerResponse, expectsContinue: boolean) => void;

/** What Node keeps on a server's socket to stop reading from it: see `_http_server.js`. */
type ServerSocket = Socket & { _paused?: boolean; parser?: { pause(): void } | null };

export interface PipelinedRequest {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly expectsContinue: boolean;
}

/**
 * A connection that has so many waiting is read no further, until there are fewer (RFC 9112 §9.3.2). Not before, because
 * one that is not read does not show that its client has left. What was read in one go waits in any case: 64 KiB, some
 * 300 requests with a token.
 */
const MOST_WAITING = 32;

const ignore = (): void => undefined;

/** Requests of all connections that wait. */
export interface WaitingCount {
  waiting: number;
}

/**
 * The requests of one connection that came before the one before them was answered: they are handled one by one, as
 * nginx and HAProxy do. Their answers have to go out in order in any case; handled at once, five thousand of them would
 * be as many connections to the upstream, and what the first answers would have changed is not seen by the next (decision 041).
 */
export class Pipeline {
  readonly #socket: ServerSocket;
  readonly #handle: Handle;
  readonly #count: WaitingCount;
  readonly #discards: () => boolean;
  readonly #waiting: PipelinedRequest[] = [];
  /** Node's own: answers wait to be taken. */
  #nodePauses: boolean;
  /** Has a header that did not get complete in time looked at again. */
  #late: (() => void) | undefined;

  /** @param discards what is read is thrown away: then reading goes on */
  constructor(socket: Socket, handle: Handle, count: WaitingCount, discards: () => boolean) {
    this.#socket = socket;
    this.#handle = handle;
    this.#count = count;
    this.#discards = discards;
    this.#nodePauses = this.#socket._paused === true;
    // A socket that has stopped reading still brings the rest of what TLS has decrypted, which a paused parser takes for an
    // error. Parsers are used again by other connections; none of them misses this.
    if (this.#socket.parser) this.#socket.parser.pause = ignore;
    // Node asks this before it goes on reading, at every end of an answer; nothing else keeps it from it.
    Object.defineProperty(socket, "_paused", {
      get: () => this.#nodePauses || this.isPaused,
      set: (value: boolean) => {
        this.#nodePauses = value;
      },
    });
  }

  /** Whether the connection is not read because so many wait. */
  get isPaused(): boolean {
    return this.#waiting.length >= MOST_WAITING && !this.#discards();
  }

  /** @param before the response to the request before it, not closed yet */
  add(before: ServerResponse, request: PipelinedRequest): void {
    if (this.#waiting.length === 0) before.once("close", this.#next);
    this.#waiting.push(request);
    this.#count.waiting += 1;
    if (this.#waiting.length === MOST_WAITING) this.#socket.pause();
  }

  /** The last one is not to be handled. */
  dropLast(outgoing: ServerResponse): void {
    if (this.#waiting.at(-1)?.outgoing !== outgoing) return;
    this.#waiting.pop();
    this.#count.waiting -= 1;
  }

  /**
   * Whether a header that did not get complete in time may be late because its rest is not read.
   * @param again called so long after reading has gone on, milliseconds
   */
  excuses(again: () => void, ms: number): boolean {
    if (!this.isPaused) return false;
    this.#late = () => setTimeout(again, ms).unref();
    return true;
  }

  /** The one before is answered, or its connection gone. */
  readonly #next = (): void => {
    const { destroyed, writableEnded } = this.#socket;
    const wasPaused = this.isPaused;
    const request = this.#waiting.shift();
    if (request === undefined) return;
    this.#count.waiting -= 1;
    if (destroyed || writableEnded) {
      this.#count.waiting -= this.#waiting.length;
      this.#waiting.length = 0;
      return;
    }
    if (this.#waiting.length > 0) request.outgoing.once("close", this.#next);
    this.#handle(request.incoming, request.outgoing, request.expectsContinue);
    if (wasPaused && !this.isPaused) this.#readOn();
  };

  #readOn(): void {
    this.#late?.();
    this.#late = undefined;
    if (!this.#nodePauses) this.#socket.resume();
  }
}
