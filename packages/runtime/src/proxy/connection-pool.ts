import { buildConnector } from "undici";
import { Connection } from "./connection.ts";

/** Beyond this many, connections are closed after use: a peak is not kept for ever. */
const MAX_IDLE = 512;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * The connections to one origin. The last one used is the first to be used again, so that those a peak left behind
 * fall idle and close; taking and giving back cost the same with ten connections as with ten thousand.
 */
export class ConnectionPool {
  readonly #origin: string;
  /** Shared, so that TLS sessions are resumed across connections. */
  readonly #connect: buildConnector.connector = buildConnector({ allowH2: false, timeout: CONNECT_TIMEOUT_MS });
  readonly #idle: Connection[] = [];

  constructor(origin: string) {
    this.#origin = origin;
  }

  take(): Connection {
    return this.#idle.pop() ?? this.open();
  }

  /** A connection that was never used. */
  open(): Connection {
    return new Connection(this.#origin, this.#connect);
  }

  giveBack(connection: Connection): void {
    if (this.#idle.length < MAX_IDLE) this.#idle.push(connection);
    else connection.destroy();
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((connection) => connection.client.destroy()));
  }
}
