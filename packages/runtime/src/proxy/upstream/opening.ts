import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { connectFault } from "./connect-fault.ts";
import { UpstreamError } from "./upstream-error.ts";

/** An IP address, and its family. */
export interface Address {
  readonly address: string;
  readonly family: number;
}

/** What a connection does with its socket, also before there is one. */
export interface UpstreamSocket {
  readonly writableLength: number;
  write(data: string | Buffer, encoding?: BufferEncoding, done?: () => void): boolean;
  cork(): void;
  uncork(): void;
  pause(): unknown;
  resume(): unknown;
  destroy(): unknown;
  on(event: SocketEvent, listener: (error: Error) => void): unknown;
}

type SocketEvent = "drain" | "end" | "error" | "close";

export interface OpeningSteps {
  /** In the order in which they are to be tried; a promise when they have to be looked up. */
  readonly addresses: readonly Address[] | Promise<readonly Address[]>;
  readonly connect: (address: Address) => Socket;
  /** Starts TLS on a connected socket. */
  readonly secure: ((socket: Socket) => TLSSocket) | undefined;
  /** Gets the socket, ready and with all listeners, before anything is written to it. */
  readonly adopt: (socket: Socket, address: Address) => void;
  /** An address did not take the connection, or not before another one did. */
  readonly onShunned?: (address: Address) => void;
  /** The name is looked up; the connection is there; all is done. */
  readonly onPhase?: (ended: "lookup" | "connect" | "open") => void;
  /** For all of it: look-up, connection, handshake. */
  readonly timeoutMs: number;
}

/** RFC 8305 §8 */
const ATTEMPT_DELAY_MS = 250;
/** Node's own for sockets. */
const HIGH_WATER = 16 * 1024;

/**
 * A socket that is being opened: what is written meanwhile goes out as soon as there is one. When a name has several
 * addresses, the next is tried as soon as one fails, or has not answered in 250 ms; those that are slow go on being
 * tried, and the first connection wins (RFC 8305 §5). Node's own way gives a slow one up after 250 ms for good.
 */
export class Opening implements UpstreamSocket {
  writableLength = 0;
  readonly #steps: OpeningSteps;
  readonly #timeout: NodeJS.Timeout;
  readonly #listeners: (readonly [SocketEvent, (error: Error) => void])[] = [];
  readonly #written: (readonly [string | Buffer, BufferEncoding | undefined])[] = [];
  readonly #sockets = new Map<Socket, Address>();
  readonly #errors: Error[] = [];
  #left: Address[] = [];
  #nextAttempt: NodeJS.Timeout | undefined;
  #phase: "lookup" | "connect" | "tls" = "lookup";
  #paused = false;
  #over = false;

  constructor(steps: OpeningSteps) {
    this.#steps = steps;
    this.#timeout = setTimeout(() => this.#timedOut(), steps.timeoutMs);
    const { addresses } = steps;
    if (addresses instanceof Promise) {
      addresses.then(
        (found) => this.#start(found),
        (error: Error) => this.#fail(error),
      );
    } else this.#start(addresses);
  }

  write(data: string | Buffer, encoding?: BufferEncoding): boolean {
    this.#written.push([data, encoding]);
    this.writableLength += data.length;
    return this.writableLength < HIGH_WATER;
  }

  cork(): void {}

  uncork(): void {}

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  on(event: SocketEvent, listener: (error: Error) => void): void {
    this.#listeners.push([event, listener]);
  }

  destroy(): void {
    this.#end();
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#sockets.clear();
  }

  #start(addresses: readonly Address[]): void {
    if (this.#over) return;
    this.#steps.onPhase?.("lookup");
    this.#phase = "connect";
    this.#left = [...addresses];
    if (this.#left.length === 0) this.#fail(new UpstreamError("UPSTREAM_UNOPENED", "name_not_found"));
    else this.#attempt();
  }

  #attempt(): void {
    clearTimeout(this.#nextAttempt);
    const address = this.#left.shift();
    if (address === undefined) return;
    const socket = this.#steps.connect(address);
    this.#sockets.set(socket, address);
    const onError = (error: Error): void => this.#failed(socket, address, error);
    socket.once("connect", () => this.#connected(socket, address, onError));
    socket.on("error", onError);
    if (this.#left.length > 0) this.#nextAttempt = setTimeout(() => this.#attempt(), ATTEMPT_DELAY_MS);
  }

  #failed(socket: Socket, address: Address, error: Error): void {
    if (this.#over || this.#phase !== "connect" || !this.#sockets.delete(socket)) return;
    this.#steps.onShunned?.(address);
    this.#errors.push(error);
    if (this.#left.length > 0) this.#attempt();
    else if (this.#sockets.size === 0) this.#fail(mostTelling(this.#errors));
  }

  #connected(socket: Socket, address: Address, onError: (error: Error) => void): void {
    if (this.#over || this.#phase !== "connect") return;
    clearTimeout(this.#nextAttempt);
    for (const [other, slow] of this.#sockets) {
      if (other === socket) continue;
      other.destroy();
      this.#steps.onShunned?.(slow);
    }
    this.#sockets.clear();
    this.#sockets.set(socket, address);
    const { secure, onPhase } = this.#steps;
    onPhase?.("connect");
    if (secure === undefined) {
      this.#opened(socket, address);
      // All of this would be kept as long as the connection: 2 kB.
      socket.off("error", onError);
    } else this.#handshake(secure(socket), address);
  }

  #handshake(socket: TLSSocket, address: Address): void {
    this.#phase = "tls";
    this.#sockets.set(socket, address);
    socket.once("secureConnect", () => this.#opened(socket, address));
    socket.on("error", (error) => this.#fail(error, socket.authorizationError !== null));
    socket.once("close", () => this.#fail(new UpstreamError("UPSTREAM_CLOSED", "tls_closed")));
  }

  #opened(socket: Socket, address: Address): void {
    if (this.#over) return;
    this.#end();
    this.#steps.onPhase?.("open");
    for (const [event, listener] of this.#listeners) socket.on(event, listener);
    this.#steps.adopt(socket, address);
    if (this.#paused) socket.pause();
    let flows = true;
    socket.cork();
    for (const [data, encoding] of this.#written) flows = socket.write(data, encoding);
    socket.uncork();
    // The socket itself says so only when it was asked to wait.
    if (flows && this.writableLength >= HIGH_WATER) process.nextTick(() => socket.emit("drain"));
    this.#sockets.clear();
    this.#written.length = 0;
  }

  #timedOut(): void {
    const fault = { lookup: "name_lookup_failed", connect: "connect_timeout", tls: "tls_timeout" } as const;
    for (const address of this.#phase === "connect" ? this.#sockets.values() : []) this.#steps.onShunned?.(address);
    this.#fail(new UpstreamError("UPSTREAM_UNOPENED", fault[this.#phase]));
  }

  #fail(error: Error, untrusted = false): void {
    if (this.#over) return;
    const known =
      error instanceof UpstreamError
        ? error
        : new UpstreamError("UPSTREAM_UNOPENED", connectFault(error, this.#phase, untrusted), { cause: error });
    this.destroy();
    for (const [event, listener] of this.#listeners) if (event === "error") listener(known);
  }

  #end(): void {
    this.#over = true;
    clearTimeout(this.#timeout);
    clearTimeout(this.#nextAttempt);
  }
}

/** Of several addresses: what is wrong here at the gateway, else what a host has answered, else what came first. */
const mostTelling = (errors: readonly Error[]): Error => {
  const having = (...codes: readonly string[]): Error | undefined =>
    errors.find((error) => "code" in error && codes.includes(String(error.code)));
  const telling = having("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM") ?? having("ECONNREFUSED") ?? having("ETIMEDOUT");
  return telling ?? errors[0] ?? new UpstreamError("UPSTREAM_UNOPENED", "connection_failed");
};
