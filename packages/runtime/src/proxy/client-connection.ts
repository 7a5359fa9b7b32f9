import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { DenseList, type Placed } from "./dense-list.ts";
import { ParkedConnection, type ParkedOwner } from "./parked-connection.ts";
import { type Handle, Pipeline, type PipelinedRequest, type WaitingCount } from "./pipeline.ts";
import { READING_TURNS, type TurnReader } from "./reading-turns.ts";

/** How long and how much is read from clients that may not have taken their last answer yet. */
export interface LingerLimits {
  /** Without a byte from a client that has more to send, milliseconds. */
  readonly idleMs: number;
  /** Without a byte from one whose request was complete. */
  readonly quietMs: number;
  readonly totalMs: number;
  readonly bytes: number;
  /** At once; one more, and the oldest is given up. */
  readonly connections: number;
}

/** Idle and in all as nginx has it; see docs/decisions/018-how-a-clients-connection-ends.md. */
export const LINGER: LingerLimits = {
  idleMs: 5_000,
  quietMs: 500,
  totalMs: 30_000,
  bytes: 128 * 1024 * 1024,
  connections: 512,
};

const SWEEP_MS = 100;
/** Pipelined requests of all connections: 2.3 kB each with a token. */
const MOST_WAITING = 20_000;
/** What of them waits unparsed is counted by this. */
const REQUEST_BYTES = 2_300;

const CONNECTION: unique symbol = Symbol("client connection");
type KnownSocket = Socket & { [CONNECTION]?: ClientConnection };

/** Reads requests in the place of Node's parser, which is there all the same. */
export interface RequestReader {
  /** Whether it reads the connection at the moment. */
  readonly isReading: boolean;
  /** To be told of each request but the first of its connection, when it begins. */
  expect(incoming: IncomingMessage): void;
}

/** The state of a client's connection that outlives a request, and how it ends. */
export class ClientConnection implements Placed, TurnReader, ParkedOwner {
  place = -1;
  readonly socket: Socket;
  /** It gets, or has had, its last answer: nothing behind that may be served (RFC 9112 §9.6). */
  closing = false;
  /** The response to the latest request: needed when the parser fails, and Node does not say it then. */
  latest: ServerResponse | undefined;
  /** Of one that has brought a second request. */
  reader: RequestReader | undefined;
  readonly #owner: ClientConnections;
  /** Of a client that does not wait for its answers. */
  #pipeline: Pipeline | undefined;
  #parked: ParkedConnection | undefined;
  /** Requests that wait unparsed, about. */
  #unparsed = 0;
  #discarding = false;
  #moreToCome = false;
  #moved = false;
  #left: number;
  #lingerMs: number;
  /** 0 until the sending half is closed. */
  #endedAt = 0;
  #movedAt = 0;

  /** @param socket must not have one yet */
  constructor(socket: KnownSocket, owner: ClientConnections) {
    this.socket = socket;
    this.#owner = owner;
    this.#left = owner.limits.bytes;
    this.#lingerMs = owner.limits.totalMs;
    socket[CONNECTION] = this;
    // What Node calls behind an answer that closes the connection.
    socket.destroySoon = end;
  }

  /** @returns undefined for a socket of a server without a guard */
  static of(socket: KnownSocket): ClientConnection | undefined {
    return socket[CONNECTION];
  }

  /** Whether nothing that the client sends matters any more. */
  get discarding(): boolean {
    return this.#discarding;
  }

  /**
   * Handles the latest request when the one before it is answered. Where too many wait already, on whichever connections,
   * the one before gets the connection's last answer, and the client has to send this one again (RFC 9112 §9.3.2).
   */
  handleBehind(before: ServerResponse, request: PipelinedRequest, handle: Handle): void {
    if (this.#owner.waiting >= this.#owner.mostWaiting) {
      this.latest = before;
      this.endBehind(before);
      return;
    }
    this.#pipeline ??= new Pipeline(this.socket, handle, this.#owner, () => this.#discarding);
    this.#pipeline.add(before, request);
  }

  /** The latest request broke off within its body: it is answered in its turn, and not handled. */
  dropLatest(): void {
    if (this.latest !== undefined) this.#pipeline?.dropLast(this.latest);
  }

  /** As {@link Pipeline.excuses}; `again` is called only when the header has not got complete meanwhile. */
  excusesHeader(again: () => void, ms: number): boolean {
    const { latest } = this;
    const look = (): void => {
      if (latest === this.latest && !this.socket.destroyed) again();
    };
    return this.#pipeline?.excuses(look, ms) === true;
  }

  /**
   * From now on what the client sends is thrown away. It is read on, because only so it is seen that the client leaves,
   * up to the limit of bytes; one that sends more has to wait for its answer first.
   */
  discard(): void {
    this.#moreToCome = true;
    this.#throwAway();
  }

  /**
   * Makes this answer, to the latest request, the connection's last one.
   * @param lingerMs how long the connection lingers at most
   */
  endBehind(outgoing: ServerResponse, lingerMs: number = this.#lingerMs): void {
    this.closing = true;
    this.#lingerMs = lingerMs;
    if (outgoing.headersSent) outgoing.once("finish", () => this.end());
    else outgoing.shouldKeepAlive = false;
  }

  /** Does what Node did for the answers under way, and does no more, when it hands a socket over (CONNECT). */
  takeOver(): void {
    this.leaveParser();
    this.discard();
  }

  /** The same for an upgrade: what the client sends waits for whoever takes it, and its end is seen. */
  leaveParser(): void {
    const { socket } = this;
    socket.on("error", destroy);
    socket.on("drain", passDrain);
    // Taken away from its parser, the socket counts as being read.
    socket._read(0);
    this.#owner.keep(this);
  }

  /**
   * Gives the parser back while the latest answer goes on. Does nothing where the client does not wait for its answers.
   * To be called behind its head, and not out of the parser.
   */
  park(): void {
    const { socket, latest } = this;
    if (latest === undefined || latest.closed || this.#discarding || this.#pipeline !== undefined) return;
    if (this.isParked || !ParkedConnection.isPossible(socket, latest)) return;
    this.#parked = ParkedConnection.take(socket, this, latest);
  }

  /** No parser of Node's reads it, and Node does not count it among its own. */
  get isParked(): boolean {
    return ParkedConnection.has(this.socket);
  }

  mayKeep(bytes: number): boolean {
    const requests = Math.ceil(bytes / REQUEST_BYTES);
    if (this.#owner.waiting + requests > this.#owner.mostWaiting) {
      if (this.latest !== undefined) this.endBehind(this.latest);
      return false;
    }
    this.#owner.waiting += requests;
    this.#unparsed = requests;
    this.socket.once("close", onClose);
    return true;
  }

  unpark(bytes: Buffer): void {
    this.#countParsed();
    this.#parked?.leave();
    this.#parked = undefined;
    this.socket.unshift(bytes);
    this.#owner.parse(this.socket);
  }

  #countParsed(): void {
    if (this.#unparsed === 0) return;
    this.#owner.waiting -= this.#unparsed;
    this.#unparsed = 0;
    this.socket.off("close", onClose);
  }

  /** Somebody else looks after the socket from now on, and ends it. */
  handOver(): void {
    this.socket.off("drain", passDrain);
    this.#owner.forget(this);
  }

  /** Calls `then` when every answer before it is out; not at all when the connection ends before. */
  whenAnswered(then: () => void): void {
    if (this.latest === undefined || this.latest.closed) then();
    else this.latest.once("close", () => this.socket.destroyed || then());
  }

  /**
   * Closes in two stages. Node destroys a connection as soon as its last answer is written; with bytes of the client
   * unread in the kernel that is a TCP reset, which takes the answer out of the client's receive buffer, or fails the
   * write it is at (RFC 9112 §9.6). So the sending half is closed first, and what arrives is thrown away until the
   * client has closed its own.
   */
  end(): void {
    if (this.#endedAt !== 0) return;
    this.closing = true;
    this.#endedAt = performance.now();
    this.#movedAt = this.#endedAt;
    if (this.latest?.req.complete === false) this.#moreToCome = true;
    this.socket.end();
    this.#throwAway();
    this.#owner.keep(this);
  }

  /** @param bytes thrown away */
  take(bytes: number): void {
    this.#moved = true;
    this.#left -= bytes;
    if (this.#left >= 0) {
      if (!READING_TURNS.mayReadOn(this, bytes)) this.socket.pause();
    } else if (this.#endedAt === 0) this.socket.pause();
    else this.socket.destroy();
  }

  readOn(): void {
    if (this.#left < 0 || this.socket.destroyed) return;
    this.socket.resume();
    // A full body had Node stop the handle; taken away from its parser, the socket counts as read and would not start it.
    this.socket._read(0);
  }

  /** Performance time at which the sending half was closed; 0 before. */
  get endedAt(): number {
    return this.#endedAt;
  }

  hasLingered(now: number, { idleMs, quietMs }: LingerLimits): boolean {
    if (this.#endedAt === 0) return false;
    if (this.#moved) {
      this.#moved = false;
      this.#moreToCome = true;
      this.#movedAt = now;
    } else if (!this.socket.writableFinished) {
      this.#movedAt = now;
    }
    const quiet = now - this.#movedAt;
    return quiet >= (this.#moreToCome ? idleMs : quietMs) || now - this.#endedAt >= this.#lingerMs || this.#left < 0;
  }

  /** It is closed. */
  forget(): void {
    this.#countParsed();
    this.#owner.forget(this);
  }

  #throwAway(): void {
    if (this.#discarding) return;
    this.#discarding = true;
    const { socket } = this;
    // Node takes a socket away from its parser as soon as anybody else listens for the data.
    socket.removeAllListeners("data");
    socket.on("data", take);
    // Of a request that is not complete Node would only say that it is broken.
    socket.on("end", leave);
    this.readOn();
    // Within the parser's own call the rest of what it has read is still to come, and stops the reading once more.
    setImmediate(() => this.readOn());
  }
}

function end(this: KnownSocket): void {
  this[CONNECTION]?.end();
}

function take(this: KnownSocket, chunk: Buffer): void {
  this[CONNECTION]?.take(chunk.length);
}

function destroy(this: Socket): void {
  this.destroy();
}

function leave(this: Socket): void {
  this.end();
}

function passDrain(this: Socket & { _httpMessage?: ServerResponse | null }): void {
  this._httpMessage?.emit("drain");
}

function onClose(this: KnownSocket): void {
  this[CONNECTION]?.forget();
}

/** The connections of one server that Node no longer looks after: few, bounded, and with one timer for all of them. */
export class ClientConnections implements WaitingCount {
  readonly limits: LingerLimits;
  readonly mostWaiting: number;
  /** Has Node read a connection's requests, as if it were a new one. */
  readonly parse: (socket: Socket) => void;
  waiting = 0;
  readonly #kept = new DenseList<ClientConnection>();
  #sweeper: NodeJS.Timeout | undefined;

  constructor(parse: (socket: Socket) => void, limits: LingerLimits = LINGER, mostWaiting: number = MOST_WAITING) {
    this.parse = parse;
    this.limits = limits;
    this.mostWaiting = mostWaiting;
  }

  /** Those that linger, and those that wait for an answer before they do. */
  get size(): number {
    return this.#kept.size;
  }

  track(socket: Socket): ClientConnection {
    return ClientConnection.of(socket) ?? new ClientConnection(socket, this);
  }

  keep(connection: ClientConnection): void {
    if (connection.place >= 0) return;
    if (this.#kept.size >= this.limits.connections) this.#makeRoom();
    this.#kept.add(connection);
    connection.socket.once("close", onClose);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  forget(connection: ClientConnection): void {
    if (connection.place < 0) return;
    this.#kept.delete(connection);
    connection.place = -1;
    if (this.#kept.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  /** Destroys them all. */
  close(): void {
    for (const connection of this.#kept.items()) this.#giveUp(connection);
  }

  #giveUp(connection: ClientConnection): void {
    this.forget(connection);
    connection.socket.destroy();
  }

  /** O(connections kept), for those who bring more than may linger. */
  #makeRoom(): void {
    let lingering = 0;
    let oldest: ClientConnection | undefined;
    for (const connection of this.#kept.items()) {
      if (connection.endedAt === 0) continue;
      lingering += 1;
      if (oldest === undefined || connection.endedAt < oldest.endedAt) oldest = connection;
    }
    if (oldest !== undefined && lingering >= this.limits.connections) this.#giveUp(oldest);
  }

  #sweep(): void {
    const now = performance.now();
    for (const connection of this.#kept.items()) {
      if (connection.hasLingered(now, this.limits)) this.#giveUp(connection);
    }
  }
}
