import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** What Node keeps on a server's socket while a parser reads it: see `_http_server.js` and `node_http_parser.cc`. */
type ParsedSocket = Socket & {
  readonly parser?: { readonly incoming: IncomingMessage | null; finish(): unknown } | null;
  readonly _paused?: boolean;
};
type KnownSocket = Omit<ParsedSocket, "readableFlowing"> & {
  readableFlowing: boolean | null;
  _httpMessage?: ServerResponse | null;
  [PARKED]?: ParkedConnection | undefined;
};

/** Whose connection it is. */
export interface ParkedOwner {
  /** Nothing that the client sends is served any more. */
  readonly closing: boolean;
  /** What the client sends from now on is thrown away. */
  discard(): void;
  /**
   * Asked once, when the client sends on before it has its answer.
   * @returns whether there is room for it; else it is to be thrown away
   */
  mayKeep(bytes: number): boolean;
  /** The connection goes back to a parser, which gets these bytes first. */
  unpark(bytes: Buffer): void;
}

const PARKED: unique symbol = Symbol("parked connection");
const NOTHING: Buffer = Buffer.alloc(0);
/** Some clients end a request's content with a line end; it is nobody's (RFC 9112 §2.2). */
const STRAY_BYTES = 8;
const LINE_ENDS = /^[\r\n]*$/;

/**
 * A client's connection that is read without a parser, while its answer goes on and until the next request begins: one
 * of Node's has 10 kB of native memory for a request that nobody sends, more than all else of an open event stream
 * (docs/decisions/085). That the client leaves is seen as ever. What it sends on is read once, and parsed behind the answer.
 */
export class ParkedConnection {
  readonly #socket: KnownSocket;
  readonly #owner: ParkedOwner;
  readonly #answer: ServerResponse;
  #kept: Buffer | undefined;

  private constructor(socket: KnownSocket, owner: ParkedOwner, answer: ServerResponse) {
    this.#socket = socket;
    this.#owner = owner;
    this.#answer = answer;
  }

  /** Whether its parser has read one request whole, this answer's, and nothing of another one. */
  static isPossible(socket: ParsedSocket, { req }: ServerResponse): boolean {
    const { parser } = socket;
    if (parser === null || parser === undefined || !req.complete || socket._paused === true) return false;
    // To a parser within a message an end is an error; it takes no harm from being asked.
    return parser.incoming === req && socket.readableLength === 0 && !(parser.finish() instanceof Error);
  }

  /** To be called only where it is possible, and not out of the parser. */
  static take(socket: KnownSocket, owner: ParkedOwner, answer: ServerResponse): ParkedConnection {
    const parked = new ParkedConnection(socket, owner, answer);
    socket[PARKED] = parked;
    // Node lets go of the parser and of all its own on the socket when a request turns out to upgrade, and looks at that
    // behind each read. Nobody else may take it for one.
    const { req } = answer as { req: IncomingMessage & { upgrade?: boolean } };
    req.upgrade = true;
    socket.emit("data", NOTHING);
    req.upgrade = false;
    for (const [event, listener] of LISTENERS) socket.on(event, listener);
    answer.on("close", onAnswered);
    releaseHeads(req, answer);
    // Taken away from its parser, the socket counts as being read.
    socket._read(0);
    return parked;
  }

  /** Between {@link take} and {@link ParkedOwner.unpark}. */
  static has(socket: KnownSocket): boolean {
    return socket[PARKED] !== undefined;
  }

  /** The socket is somebody else's from now on. */
  leave(): void {
    const socket = this.#socket;
    socket[PARKED] = undefined;
    for (const [event, listener] of LISTENERS) socket.off(event, listener);
    // Node's for an idle connection; its next parser does not know of it.
    socket.setTimeout(0);
    socket.readableFlowing = null;
  }

  onData(bytes: Buffer): void {
    if (this.#owner.closing) this.#owner.discard();
    else if (this.#answer.closed) this.#owner.unpark(bytes);
    else if (bytes.length > STRAY_BYTES || !LINE_ENDS.test(bytes.toString("latin1"))) {
      // Read no further, so that what one connection has waiting is bounded (decision 041).
      this.#kept = bytes;
      this.#socket.pause();
      if (!this.#owner.mayKeep(bytes.length)) this.#kept = undefined;
    }
  }

  onAnswered(): void {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept !== undefined && !this.#owner.closing && !this.#socket.destroyed) this.#owner.unpark(kept);
  }

  onTimeout(): void {
    if (this.#answer.closed) this.#socket.destroy();
  }
}

/** What Node keeps of a response: see `_http_outgoing.js`. */
type KnownResponse = ServerResponse & { _header?: string | null };

/**
 * What was sent and read of both heads: a rope of forty strings, and the token. That a head was sent Node knows by what
 * it was.
 */
const releaseHeads = (request: IncomingMessage, answer: KnownResponse): void => {
  if (answer.headersSent) answer._header = SENT;
  request.rawHeaders = [];
  request.headers = {};
};

const SENT = "sent";

function onData(this: KnownSocket, bytes: Buffer): void {
  this[PARKED]?.onData(bytes);
}

function onEnd(this: Socket): void {
  this.end();
}

function onError(this: Socket): void {
  this.destroy();
}

function onDrain(this: KnownSocket): void {
  this._httpMessage?.emit("drain");
}

function onTimeout(this: KnownSocket): void {
  this[PARKED]?.onTimeout();
}

function onAnswered(this: ServerResponse): void {
  (this.req.socket as KnownSocket)[PARKED]?.onAnswered();
}

const LISTENERS = [
  ["data", onData],
  ["end", onEnd],
  ["error", onError],
  ["drain", onDrain],
  ["timeout", onTimeout],
] as const;
