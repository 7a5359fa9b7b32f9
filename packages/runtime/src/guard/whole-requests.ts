import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { nodeHttp } from "../node-http.ts";
import type { ClientConnection, RequestReader } from "../proxy/client-connection.ts";
import { HEAD_END, readWholeHead, type WholeHead } from "./whole-head.ts";

type Parse = (bytes: Buffer) => void;

/** What Node keeps on a server's socket, and on a request: see `_http_server.js` and `_http_common.js`. */
interface Parser {
  incoming: IncomingMessage | null;
  onIncoming(incoming: IncomingMessage, shouldKeepAlive: boolean): unknown;
  finish(): unknown;
}
type ParsedSocket = Socket & { readonly parser?: Parser | null; readonly _paused?: boolean };
type ParsedRequest = IncomingMessage & { _addHeaderLines(fields: string[], count: number): void };

/** A client that has sent so many otherwise is Node's for good. */
const MOST_OTHERS = 4;
/** A longer head is not kept for the next request: it stays for as long as the connection rests. */
const MOST_KEPT = 2 * 1024;

/**
 * Reads a connection whose requests come one by one, and each whole in one read, as those of nearly every client do that
 * keeps its connection. Node's parser goes from C++ to JavaScript and back for all that it finds; here a head that is the
 * same as the one before costs a comparison (decision 108). It decides nothing: Node is told of a request as its parser
 * tells it, and whatever is read besides goes to the parser, byte for byte.
 */
export class WholeRequests implements RequestReader {
  readonly #connection: ClientConnection;
  readonly #socket: ParsedSocket;
  /** Node's own listener. */
  #parse: Parse | undefined;
  #others = 0;
  #known: WholeHead | undefined;
  /** Of the known head, as Node has them. */
  #headers: IncomingMessage["headers"] = {};

  constructor(connection: ClientConnection) {
    this.#connection = connection;
    this.#socket = connection.socket;
  }

  get isReading(): boolean {
    return this.#parse !== undefined;
  }

  expect(incoming: IncomingMessage): void {
    if (this.isReading || this.#others >= MOST_OTHERS) return;
    // Behind the read that has brought it, and out of the parser.
    setImmediate(() => {
      if (incoming.complete && this.#connection.latest?.req === incoming) this.#begin();
      else this.#others += 1;
    });
  }

  #begin(): void {
    const { parser, _paused: isPaused, destroyed } = this.#socket;
    const [parse, ...more] = this.#socket.listeners("data") as Parse[];
    // What follows a last answer is thrown away, and counted.
    if (this.#connection.closing || this.#connection.discarding) return;
    // Somebody else reads it, or nobody at the moment.
    if (!parser || isPaused === true || destroyed || parse === undefined || more.length > 0) return;
    // The start of the next one has come, too. The parser takes no harm from being asked.
    if (parser.finish() instanceof Error) return;
    this.#parse = parse;
    this.#socket.off("data", parse);
    this.#socket.on("data", this.#read);
  }

  readonly #read = (bytes: Buffer): void => {
    const parse = this.#parse;
    if (parse === undefined || this.#serve(bytes)) return;
    // The connection is Node's again, also for whoever asks it to let go of its parser (see ParkedConnection).
    if (bytes.length > 0) this.#others += 1;
    this.#parse = undefined;
    this.#known = undefined;
    this.#socket.off("data", this.#read);
    this.#socket.on("data", parse);
    parse(bytes);
  };

  /** @returns false when it is not one whole request */
  #serve(bytes: Buffer): boolean {
    const { parser } = this.#socket;
    if (!parser) return false;
    const head = this.#headOf(bytes);
    if (head === undefined || bytes.length !== head.text.length + head.length) return false;
    const incoming = new nodeHttp.IncomingMessage(this.#socket) as ParsedRequest;
    incoming.httpVersionMajor = 1;
    incoming.httpVersionMinor = 1;
    incoming.httpVersion = "1.1";
    incoming.method = head.method;
    incoming.url = head.target;
    // Whoever reads it may change both.
    incoming._addHeaderLines([...head.fields], head.fields.length);
    if (head === this.#known) incoming.headers = { ...this.#headers };
    else this.#keep(head, incoming);
    parser.incoming = incoming;
    if (head.length > 0) incoming.push(bytes.subarray(head.text.length));
    incoming.complete = true;
    incoming.push(null);
    parser.onIncoming(incoming, true);
    return true;
  }

  #headOf(bytes: Buffer): WholeHead | undefined {
    const known = this.#known;
    if (known !== undefined && bytes.toString("latin1", 0, known.text.length) === known.text) return known;
    const end = bytes.indexOf(HEAD_END, 0, "latin1");
    // No more than the head: all that is cut out of a text keeps it.
    return end < 0 ? undefined : readWholeHead(bytes.toString("latin1", 0, end + HEAD_END.length));
  }

  #keep(head: WholeHead, incoming: IncomingMessage): void {
    this.#known = head.text.length <= MOST_KEPT ? head : undefined;
    this.#headers = { ...incoming.headers };
  }
}
