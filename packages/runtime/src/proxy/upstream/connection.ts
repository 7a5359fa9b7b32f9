import type { Socket } from "node:net";
import { onPassedOn } from "../passed-on.ts";
import { READING_TURNS, type TurnReader } from "../reading-turns.ts";
import type { Connector } from "./connector.ts";
import type { UpstreamSocket } from "./opening.ts";
import { ResponseParser, type ResponseSink } from "./response-parser.ts";
import { UpstreamError } from "./upstream-error.ts";

/** Whom one exchange on a connection is told to. */
export interface ResponseHandler extends ResponseSink {
  /** Everything that has arrived so far was passed on. */
  onReadEnd(): void;
  /** The response is complete; the connection is not this handler's any more. */
  onEnd(trailers: readonly string[]): void;
  /** It will not be complete; the connection is closed. */
  onError(error: Error): void;
  /** More of the request's content can be written. */
  onDrain(): void;
}

export interface ConnectionOwner {
  /** It served its exchange and can serve another one for so long, milliseconds. */
  release(connection: Connection, keepAliveMs: number): void;
  /** It was closed. */
  closed(connection: Connection): void;
  /** It got bytes that belong to no answer, between two of them, behind one or in place of one. */
  sawSurplus(connection: Connection, bytes: Buffer): void;
}

/** Request content up to this size goes out in one write with the head. */
const ONE_WRITE = 8 * 1024;

/** One connection to an upstream, for one exchange at a time. */
export class Connection implements TurnReader {
  /** A byte of a response to the present request was read. */
  sawBytes = false;
  /** Set by the pool while the connection is idle: since and until when, by its clock. */
  idleSince = 0;
  idleUntil = 0;
  /** That it is connected to, as the name was looked up; empty until it is open. */
  address = "";
  readonly #owner: ConnectionOwner;
  #socket: UpstreamSocket;
  #opened: Socket | undefined;
  readonly #parser: ResponseParser;
  readonly #prefix: string;
  #handler: ResponseHandler | undefined;
  #served = 0;
  /** The whole request was written. */
  #sent = true;
  #closed = false;
  #paused = false;
  /** The exchange asked for another protocol. */
  #upgrades = false;
  /** It got it: each side ends by itself. */
  #isTunnel = false;
  /** Others read first. */
  #waits = false;

  constructor(connector: Connector, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#parser = new ResponseParser(connector.maxHeadBytes);
    this.#prefix = prefixFor(connector.authority);
    this.#socket = connector.open(
      (bytes) => this.#read(bytes),
      (socket, address) => {
        this.#socket = socket;
        this.#opened = socket;
        this.address = address;
      },
    );
    this.#socket.on("drain", () => this.#handler?.onDrain());
    this.#socket.on("end", () => this.#ended());
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new UpstreamError("UPSTREAM_CLOSED", "closed")));
  }

  /** Whether it has served before, so that the upstream may have closed it while it was idle. */
  get reused(): boolean {
    return this.#served > 0;
  }

  /** Nobody has taken the connection yet. */
  get opening(): boolean {
    return this.#opened === undefined;
  }

  /** For those who look at what the system holds of it; nobody else writes or reads. Undefined until it is open. */
  get socket(): Socket | undefined {
    return this.#opened;
  }

  /** What came instead of a response is the rest of an earlier answer: the upstream may not even have seen the request. */
  get sawLeftovers(): boolean {
    return this.reused && this.#parser.foreign;
  }

  /**
   * Sends a request.
   * @param fields name, value, name, value …, valid; without Host and those of the connection
   * @param content whole; undefined when {@link write} brings it
   * @param host in place of the upstream's own name
   * @param upgrades asks for a WebSocket; the connection must not have served before, and serves nothing else
   */
  request(
    method: string,
    target: string,
    fields: readonly string[],
    content: Buffer | undefined | null,
    handler: ResponseHandler,
    host?: string,
    upgrades = false,
  ): void {
    const usual = host === undefined ? this.#prefix : prefixFor(host);
    const prefix = upgrades ? usual.replace(KEPT, UPGRADED) : usual;
    this.#upgrades = upgrades;
    let head = `${method} ${target}${prefix}`;
    for (let i = 0; i + 1 < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
    this.#handler = handler;
    this.sawBytes = false;
    this.#parser.start(method, handler, upgrades);
    this.#sent = content !== undefined;
    head += "\r\n";
    if (content === undefined || content === null) this.#socket.write(head, "latin1");
    // One string is one system call, without a vector; as Latin-1 its bytes are those of the content.
    else if (content.length <= ONE_WRITE) this.#socket.write(head + content.toString("latin1"), "latin1");
    else {
      this.#socket.cork();
      this.#socket.write(head, "latin1");
      this.#socket.write(content);
      this.#socket.uncork();
    }
  }

  /** A part of the request's content, which is not read after it was sent. @returns false: wait for `onDrain` */
  write(chunk: Buffer, chunked: boolean): boolean {
    if (!chunked) return this.#socket.write(chunk, "latin1", onPassedOn(chunk));
    this.#socket.cork();
    this.#socket.write(`${chunk.length.toString(16)}\r\n`, "latin1");
    this.#socket.write(chunk, "latin1", onPassedOn(chunk));
    const more = this.#socket.write("\r\n", "latin1");
    this.#socket.uncork();
    return more;
  }

  /** The request's content is complete. */
  endContent(chunked: boolean): void {
    this.#sent = true;
    if (chunked) this.#socket.write("0\r\n\r\n", "latin1");
  }

  /**
   * Behind a 101: what comes is this handler's content from now on, and its `onEnd` says only that the upstream has sent
   * its last byte.
   */
  handOver(handler: ResponseHandler): void {
    this.#isTunnel = true;
    this.#handler = handler;
    this.#parser.handOver(handler);
    if (this.#opened !== undefined) this.#opened.allowHalfOpen = true;
  }

  /** Of a connection that was handed over: nothing more is written. */
  endWriting(): void {
    if (!this.#closed) this.#opened?.end();
  }

  /** Reads no more for now: somebody behind does not keep pace. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#waits) this.#socket.resume();
  }

  readOn(): void {
    this.#waits = false;
    if (!this.#paused && !this.#closed) this.#socket.resume();
  }

  /** Closes the socket at once, also one that is still being opened. Its handler hears nothing more. */
  destroy(): void {
    this.#handler = undefined;
    this.#parser.stop();
    this.#close();
  }

  #close(): void {
    this.#socket.destroy();
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.closed(this);
  }

  /** @returns whether to go on reading */
  #read(bytes: Buffer): boolean {
    if (this.#closed) return false;
    const isWanted = this.#handler !== undefined;
    this.sawBytes = true;
    const valid = this.#parser.read(bytes);
    const handler = this.#handler;
    // It may have broken the exchange off meanwhile.
    if (!isWanted || handler === undefined) {
      if (!isWanted) this.#owner.sawSurplus(this, bytes);
      this.#close();
      return false;
    }
    if (!this.#parser.busy) {
      // Bytes behind the end are nobody's answer: what was complete is passed on, and the connection not used again.
      // On one that is closed anyway they tell nothing: content behind an answer to HEAD is a common slip.
      if (!valid && this.#parser.keepAliveMs > 0) this.#owner.sawSurplus(this, bytes);
      this.#complete(handler, valid);
    } else if (!valid) {
      if (this.sawLeftovers) this.#owner.sawSurplus(this, bytes);
      this.#fail(new UpstreamError("UPSTREAM_INVALID", this.#parser.fault));
    } else {
      handler.onReadEnd();
      // Also of one that is paused: a client's socket that takes all at once resumes it before the next read.
      if (!this.#closed) this.#waits = !READING_TURNS.mayReadOn(this, bytes.length);
    }
    return !this.#paused && !this.#waits && !this.#closed;
  }

  #complete(handler: ResponseHandler, clean: boolean): void {
    this.#handler = undefined;
    this.#served += 1;
    if (this.#paused) this.resume();
    // An upstream that answered without reading the whole request might never read the next one behind it.
    const isIdle = clean && !this.#upgrades && this.#sent && this.#socket.writableLength === 0;
    const keepAliveMs = isIdle ? this.#parser.keepAliveMs : 0;
    handler.onEnd(this.#parser.trailers);
    if (keepAliveMs > 0 && !this.#closed) this.#owner.release(this, keepAliveMs);
    else this.#close();
  }

  #ended(): void {
    const handler = this.#handler;
    if (handler !== undefined && this.#isTunnel) handler.onEnd([]);
    else if (handler !== undefined && this.#parser.end()) this.#complete(handler, false);
    else this.#fail(new UpstreamError("UPSTREAM_CLOSED", "closed"));
  }

  #fail(error: Error): void {
    const handler = this.#handler;
    this.destroy();
    handler?.onError(error);
  }
}

const KEPT = "Connection: keep-alive\r\n";
const UPGRADED = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

const prefixFor = (host: string): string => ` HTTP/1.1\r\nHost: ${host}\r\n${KEPT}`;
