import type { Socket } from "node:net";
import { type buildConnector, Client } from "undici";
import { skipInterimResponses } from "./interim-responses.ts";

/** undici's own limits on waiting are off: the sweeper keeps time for all exchanges at once. */
const LIMITS = { headersTimeout: 0, bodyTimeout: 0 };

/**
 * One connection to an upstream, for one exchange at a time: undici's `Client` without its pool, which looks through
 * all connections for every request and does not say on which of them a request travels.
 */
export class Connection {
  readonly client: Client;
  /** A request was written and no byte of its final response head was passed on yet. */
  awaitingHead = false;
  /** An interim response, or the beginning of a head, was read. */
  sawBytes = false;
  /** The socket failed: a response that ends with the connection cannot be told from a truncated one then. */
  failed = false;
  /** Responses received on the present socket. */
  #served = 0;

  constructor(origin: string, connect: buildConnector.connector) {
    this.client = new Client(origin, {
      ...LIMITS,
      pipelining: 1,
      allowH2: false,
      // Shorter than the common servers' 5 s and more: whoever closes an idle connection, it should be us.
      keepAliveTimeout: 4_000,
      connect: (options: buildConnector.Options, callback: buildConnector.Callback) => {
        connect(options, (...result) => {
          if (result[0] === null) this.#adopt(result[1]);
          callback(...result);
        });
      },
    });
  }

  /** Whether the socket has served before, so that the upstream may have closed it while it was idle. */
  get reused(): boolean {
    return this.#served > 0;
  }

  requestStarts(): void {
    this.awaitingHead = true;
    this.sawBytes = false;
  }

  responseEnded(): void {
    this.#served++;
    this.sawBytes = false;
  }

  /** Closes the socket at once, also one that is still being opened. */
  destroy(): void {
    this.client.destroy(() => undefined);
  }

  #adopt(socket: Socket): void {
    this.#served = 0;
    this.failed = false;
    // Before undici's own listener, which takes a reset during a close-delimited response for its regular end.
    socket.on("error", () => {
      this.failed = true;
    });
    skipInterimResponses(socket, this);
  }
}
