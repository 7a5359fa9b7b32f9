import type { ClientRequest, IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { nodeHttp } from "../node-http.ts";
import { MemorySocket } from "./memory-socket.ts";

/** What is asked through a connection in memory. */
export interface InnerRequest {
  readonly method: string;
  /** The request target, byte for byte. */
  readonly target: string;
  /** Flat: name, value, name, value … */
  readonly fields: readonly string[];
  /** Takes the request over at its other end; always answers it. */
  readonly handle: (incoming: IncomingMessage, outgoing: ServerResponse) => void;
}

/** Both ends of one. */
export interface InnerExchange {
  /** Its content goes here, and its answer comes out of here, as for any request. */
  readonly request: ClientRequest;
  /** As when a client's connection is gone. */
  abort(): void;
}

/** Where a service says so, its answers have heads of up to 256 KiB, and the gateway adds to them. */
const MAX_HEAD = 300 * 1024;

/**
 * Requests that come from the gateway itself: over Node's own HTTP at both ends, so that what handles them need not know
 * where they come from; the connection is a pair of streams.
 */
export class InnerServer {
  readonly #server: Server;
  readonly #handlers = new WeakMap<Duplex, InnerRequest["handle"]>();

  constructor() {
    this.#server = nodeHttp.createServer({
      requireHostHeader: false,
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
      maxHeaderSize: MAX_HEAD,
    });
    this.#server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => {
      this.#handlers.get(incoming.socket)?.(incoming, outgoing);
    });
  }

  begin({ method, target, fields, handle }: InnerRequest): InnerExchange {
    const [near, far] = MemorySocket.pair();
    this.#handlers.set(far, handle);
    far.on("error", () => undefined);
    far.once("close", () => {
      // Whoever broke the answer off has destroyed its end before all of it was taken.
      if (!far.writableFinished) near.destroy();
    });
    near.once("close", () => far.destroy());
    this.#server.emit("connection", far);
    const request = nodeHttp.request({
      method,
      path: target,
      headers: [...fields],
      setHost: false,
      maxHeaderSize: MAX_HEAD,
      createConnection: () => near,
    });
    const abort = (): void => {
      far.destroy();
      request.destroy();
    };
    return { request, abort };
  }
}
