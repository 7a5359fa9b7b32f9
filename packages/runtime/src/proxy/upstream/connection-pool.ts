import { Connection, type ConnectionOwner } from "./connection.ts";
import { Connector, type ConnectorOptions } from "./connector.ts";

/** Beyond this many, connections are closed after use: a peak is not kept for ever. */
const MAX_IDLE = 512;
/** Shorter than the common servers' 5 s and more: whoever closes an idle connection, it should be us. */
const IDLE_MS = 4_000;
/** What an upstream says of its own patience is cut by so much, for the way there. */
const MARGIN_MS = 2_000;
/** A connection that rested longer may have been closed meanwhile, and the news not read yet. */
const SURE_MS = 20;
/** Some upstreams limit the requests of a connection, or end, without a word: all of theirs are looked at first. */
const HASTY_MS = 60_000;

/**
 * The connections to one origin. The last one used is the first to be used again, so that those a peak left behind
 * fall idle and close; taking and giving back cost the same with ten connections as with ten thousand.
 */
export class ConnectionPool implements ConnectionOwner {
  readonly #connector: Connector;
  readonly #clock: () => number;
  readonly #openFiles: ConnectorOptions["openFiles"];
  /** Ascending by the end of their last use. */
  readonly #idle: Connection[] = [];
  /** This upstream has closed a connection right behind an answer, without announcing it: it may do so again until then. */
  #hastyUntil = 0;

  constructor(origin: string, clock: () => number, options: ConnectorOptions = {}) {
    this.#connector = new Connector(origin, options);
    this.#openFiles = options.openFiles;
    this.#clock = clock;
  }

  /**
   * Whether the one that {@link take} would give may be closed already: a turn of the event loop later everybody knows.
   * A request on it would fail, and most must not be sent twice.
   */
  mayBeStale(now: number): boolean {
    const next = this.#idle.at(-1);
    return next !== undefined && (now < this.#hastyUntil || now - next.idleSince > SURE_MS);
  }

  take(): Connection {
    return this.#idle.pop() ?? this.open();
  }

  /** Gives up the one that has rested longest. @returns whether there was one */
  closeOneIdle(): boolean {
    const [oldest] = this.#idle;
    oldest?.destroy();
    return oldest !== undefined;
  }

  /** A connection that was never used. */
  open(): Connection {
    const connection = new Connection(this.#connector, this);
    this.#openFiles?.upstreamOpened();
    return connection;
  }

  release(connection: Connection, keepAliveMs: number): void {
    const now = this.#clock();
    connection.idleSince = now;
    connection.idleUntil = now + Math.min(IDLE_MS, keepAliveMs - MARGIN_MS);
    if (this.#idle.length < MAX_IDLE && connection.idleUntil > now) this.#idle.push(connection);
    else connection.destroy();
  }

  closed(connection: Connection): void {
    // Before its place is asked for: the socket itself says so a turn later.
    this.#openFiles?.upstreamClosed();
    const at = this.#idle.indexOf(connection);
    if (at < 0) return;
    this.#idle.splice(at, 1);
    const now = this.#clock();
    if (now - connection.idleSince <= SURE_MS) this.#hastyUntil = now + HASTY_MS;
  }

  /** Closes those that have rested for too long. */
  sweep(now: number): void {
    for (const connection of this.#idle.filter(({ idleUntil }) => idleUntil <= now)) connection.destroy();
  }

  close(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }
}
