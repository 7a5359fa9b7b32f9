import { lookup } from "node:dns/promises";
import { connect, isIP, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { nodeTls } from "../../node-http.ts";
import type { OpenFiles } from "../../open-files.ts";
import { type Address, Opening } from "./opening.ts";
import { UpstreamError } from "./upstream-error.ts";

/** Finds upstreams that vanished without a FIN. */
const KEEP_ALIVE_MS = 60_000;

/**
 * One buffer for what all connections read, so that an idle one holds no memory for it and a read allocates none. On
 * Unix libuv asks for it, fills it and hands it over without anything in between, on whichever connection.
 */
const READ_BUFFER: Buffer = Buffer.allocUnsafeSlow(64 * 1024);

/** Gets what a socket reads; the bytes are overwritten after the call. @returns false to read no more for now */
export type OnRead = (bytes: Buffer) => boolean;

/** The addresses of a host name, in the order of the system. Rejects with Node's error of a look-up. */
export type Lookup = (name: string) => Promise<readonly Address[]>;

export interface ConnectorOptions {
  /** The system's unless given. */
  readonly lookup?: Lookup;
  /** How long a connection may take to open, milliseconds; 10 s unless given. */
  readonly openTimeoutMs?: number;
  /** With it no connection is opened for which there is no file descriptor. */
  readonly openFiles?: OpenFiles;
}

export const OPEN_TIMEOUT_MS = 10_000;

const systemLookup: Lookup = (name) => lookup(name, { all: true, order: "verbatim" });

/** Opens connections to one origin. */
export class Connector {
  /** As the Host field names it. */
  readonly authority: string;
  readonly #secure: boolean;
  readonly #host: string;
  readonly #port: number;
  readonly #options: ConnectorOptions;
  /** So that TLS sessions are resumed across connections. */
  #session: Buffer | undefined;

  /** @param origin such as `https://ocr.internal:8443` */
  constructor(origin: string, options: ConnectorOptions = {}) {
    const { protocol, hostname, host, port } = new URL(origin);
    this.authority = host;
    this.#secure = protocol === "https:";
    this.#host = hostname.replace(/^\[|\]$/g, "");
    this.#port = port === "" ? (this.#secure ? 443 : 80) : Number(port);
    this.#options = options;
  }

  /**
   * Writing may begin at once. The errors until it is open are `UpstreamError`s, a time-out among them.
   * @param adopt gets the socket itself as soon as it is open, to be used from then on
   */
  open(onRead: OnRead, adopt: (socket: Socket) => void): Opening {
    return new Opening({
      addresses: this.#addresses(),
      connect: ({ address }) => this.#connect(address, onRead),
      secure: this.#secure ? (socket) => this.#startTls(socket, onRead) : undefined,
      adopt,
      timeoutMs: this.#options.openTimeoutMs ?? OPEN_TIMEOUT_MS,
    });
  }

  #addresses(): readonly Address[] | Promise<readonly Address[]> {
    const { openFiles, lookup = systemLookup } = this.#options;
    if (openFiles?.mayOpen() === false) {
      return Promise.reject(new UpstreamError("UPSTREAM_UNOPENED", "out_of_files"));
    }
    const family = isIP(this.#host);
    return family === 0 ? lookup(this.#host).then(alternating) : [{ address: this.#host, family }];
  }

  #connect(host: string, onRead: OnRead): Socket {
    return connect({
      host,
      port: this.#port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      // TLS reads by itself.
      ...(!this.#secure && {
        onread: { buffer: READ_BUFFER, callback: (length) => onRead(READ_BUFFER.subarray(0, length)) },
      }),
    });
  }

  #startTls(connected: Socket, onRead: OnRead): TLSSocket {
    const socket = nodeTls().connect({
      socket: connected,
      // For the certificate's name; RFC 6066 §3: an address is not a name to be sent.
      host: this.#host,
      servername: isIP(this.#host) === 0 ? this.#host : "",
      ALPNProtocols: ["http/1.1"],
      ...(this.#session && { session: this.#session }),
    });
    socket.on("session", (session: Buffer) => {
      this.#session = session;
    });
    socket.on("data", (bytes: Buffer) => {
      if (!onRead(bytes)) socket.pause();
    });
    return socket;
  }
}

/** Of both families in turn (RFC 8305 §4): one that does not work here must not hold up the other. */
const alternating = (addresses: readonly Address[]): readonly Address[] => {
  const first = addresses[0]?.family;
  const [ours, others] = [
    addresses.filter(({ family }) => family === first),
    addresses.filter(({ family }) => family !== first),
  ];
  return ours
    .flatMap((address, index) => [address, ...others.slice(index, index + 1)])
    .concat(others.slice(ours.length));
};
