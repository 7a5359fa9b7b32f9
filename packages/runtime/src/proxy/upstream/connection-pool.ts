import { DEFAULT_IDLE_CONNECTION_MS } from "@aigw/core/services";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { Connector, type ConnectorOptions } from "./connector.ts";

/** Beyond this many, connections are closed after use: a peak is not kept for ever. */
const MAX_IDLE = 512;
/** What an upstream says of its own patience is cut by so much, for the way there. */
const MARGIN_MS = 2_000;
/** A connection that rested longer may have been closed meanwhile, and the news not read yet. */
const SURE_MS = 20;
/** Some upstreams limit the requests of a connection, or end, without a word: all of theirs are looked at first. */
const HASTY_MS = 60_000;
/** An upstream that nobody knows yet has to keep silent for so long behind an answer before its connection is used again … */
const REST_MS = 50;
/** … and so often, before one is used again at once. */
const PROVING_RESTS = 6;
/** An upstream that was seen to send more than its answers hold gets every request on a new connection for so long. */
const DISTRUST_MS = 10 * 60_000;
/** Servers that give an idle connection up with a word of their own wait longer than this before they do. */
const IDLE_TIMEOUT_MS = 1_000;

/**
 * The connections to one origin. The last one used is the first to be used again, so that those a peak left behind
 * fall idle and close; taking and giving back cost the same with ten connections as with ten thousand.
 *
 * Bytes that an upstream sends behind the end of an answer would be the next client's. Decision 016 says what is done
 * about them; the part of it that is here: an upstream has to show that it sends none, and is not believed for a while
 * after it did.
 */
export class ConnectionPool implements ConnectionOwner {
  readonly #connector: Connector;
  readonly #clock: () => number;
  readonly #openFiles: ConnectorOptions["openFiles"];
  readonly #idleMs: number;
  /** No service has this upstream any more. */
  #isRetired = false;
  /** Connections that are there or on the way, idle or not. */
  #open = 0;
  /** Ascending by the end of their last use. */
  readonly #idle: Connection[] = [];
  /** This upstream has closed a connection right behind an answer, without announcing it: it may do so again until then. */
  #hastyUntil = 0;
  #rests = 0;
  #distrustedUntil = 0;

  constructor(origin: string, clock: () => number, options: ConnectorOptions = {}) {
    this.#connector = new Connector(origin, { ...options, clock });
    this.#idleMs = options.idleMs ?? DEFAULT_IDLE_CONNECTION_MS;
    this.#openFiles = options.openFiles;
    this.#clock = clock;
  }

  /**
   * How long to wait before {@link take}, milliseconds; 0: a turn of the event loop, in which everybody learns whether
   * the connection is closed already (a request on it would fail, and most must not be sent twice); −1: not at all.
   */
  waitMs(now: number): number {
    const next = this.#idle.at(this.#proven ? -1 : 0);
    if (next === undefined) return -1;
    const rested = now - next.idleSince;
    // Timers may come a millisecond early.
    if (!this.#proven && rested < REST_MS) return Math.ceil(REST_MS - rested) + 1;
    return now < this.#hastyUntil || rested > SURE_MS ? 0 : -1;
  }

  take(): Connection {
    if (this.#proven) return this.#idle.pop() ?? this.open();
    const oldest = this.#idle[0];
    if (oldest === undefined || this.#clock() - oldest.idleSince < REST_MS) return this.open();
    this.#rests += 1;
    this.#idle.shift();
    return oldest;
  }

  /** Gives up the one that has rested longest. @returns whether there was one */
  closeOneIdle(): boolean {
    // Taken out first: that it is closed says nothing of the upstream.
    const oldest = this.#idle.shift();
    oldest?.destroy();
    return oldest !== undefined;
  }

  /** A connection that was never used. */
  open(): Connection {
    const connection = new Connection(this.#connector, this);
    this.#open += 1;
    this.#openFiles?.upstreamOpened();
    return connection;
  }

  release(connection: Connection, keepAliveMs: number): void {
    const now = this.#clock();
    connection.idleSince = now;
    connection.idleUntil = now + Math.min(this.#idleMs, keepAliveMs - MARGIN_MS);
    const isKept = this.#idle.length < MAX_IDLE && now >= this.#distrustedUntil && !this.#isOver(connection, now);
    if (isKept) this.#idle.push(connection);
    else connection.destroy();
  }

  closed(connection: Connection): void {
    // Before its place is asked for: the socket itself says so a turn later.
    this.#open -= 1;
    this.#openFiles?.upstreamClosed();
    const at = this.#idle.indexOf(connection);
    if (at < 0) return;
    this.#idle.splice(at, 1);
    const now = this.#clock();
    if (now - connection.idleSince <= SURE_MS) this.#hastyUntil = now + HASTY_MS;
  }

  sawSurplus(connection: Connection, bytes: Buffer): void {
    const now = this.#clock();
    const hasRested = this.#idle.includes(connection) && now - connection.idleSince > IDLE_TIMEOUT_MS;
    // Such a word (RFC 9110 §15.5.9) is no rest of an answer.
    if (hasRested && /^HTTP\/1\.[01] 408 /.test(bytes.toString("latin1", 0, 13))) return;
    this.#distrustedUntil = now + DISTRUST_MS;
    this.#rests = 0;
    this.close();
  }

  /** Closes those that have rested for too long, and those to addresses that the upstream's name does not have any more. */
  sweep(now: number): void {
    if (this.#open === 0) return;
    this.#connector.refresh(now);
    for (const connection of this.#idle.filter((one) => this.#isOver(one, now))) connection.destroy();
  }

  /** Keeps no connection from now on; those in use are closed when their calls end. */
  retire(): void {
    this.#isRetired = true;
    this.close();
  }

  /** It must not be used again. */
  #isOver({ idleUntil, address }: Connection, now: number): boolean {
    return idleUntil <= now || this.#isRetired || this.#connector.isGone(address);
  }

  /** Closes those that are idle. */
  close(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  get #proven(): boolean {
    return this.#rests >= PROVING_RESTS;
  }
}
