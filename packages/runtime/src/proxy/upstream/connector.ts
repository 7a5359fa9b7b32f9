import { lookup } from "node:dns/promises";
import { connect, isIP, type Socket } from "node:net";
import type { SecureContext, TLSSocket } from "node:tls";
import { socketOf } from "@aigw/core/services";
import { nodeTls } from "../../node-http.ts";
import type { OpenFiles } from "../../open-files.ts";
import { AddressBook, type Lookup } from "./address-book.ts";
import { type Address, Opening, type OpeningSteps } from "./opening.ts";
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

/** What a service says of its connections; two that differ in it share none. All in PEM. */
export interface ConnectionFacts {
  /** How long a connection may take to open, milliseconds; 10 s unless given. */
  readonly openTimeoutMs?: number;
  /** How long one may rest, milliseconds; 4 s unless given. */
  readonly idleMs?: number;
  /** The most that the head of an answer may have; 16 KiB unless given. */
  readonly maxHeadBytes?: number;
  /** Trusted in place of the system's authorities. */
  readonly ca?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  /** In place of the URL's, for TLS. */
  readonly serverName?: string;
  /** In place of the URL's, for the Host field. */
  readonly authority?: string;
}

export interface ConnectorOptions extends ConnectionFacts {
  /** The system's unless given. */
  readonly lookup?: Lookup;
  /** Monotonic, milliseconds. */
  readonly clock?: () => number;
  /** With it no connection is opened for which there is no file descriptor. */
  readonly openFiles?: OpenFiles;
  /** Told how far a connection has come while it opens. */
  readonly onPhase?: OpeningSteps["onPhase"];
}

export const OPEN_TIMEOUT_MS = 10_000;

const systemLookup: Lookup = (name) => lookup(name, { all: true, order: "verbatim" });

/** Opens connections to one origin. */
export class Connector {
  /** As the Host field names it. */
  readonly authority: string;
  /** The most that the head of an answer may have. */
  readonly maxHeadBytes: number | undefined;
  readonly #secure: boolean;
  readonly #host: string;
  readonly #port: number;
  /** Of a socket in the file system; undefined for an upstream on the network. */
  readonly #path: string | undefined;
  readonly #options: ConnectorOptions;
  /** Undefined for an upstream that is named by its address. */
  readonly #book: AddressBook | undefined;
  /** Made when it is needed: certificates take a while to read. */
  #context: SecureContext | undefined;
  /** So that TLS sessions are resumed across connections. */
  #session: Buffer | undefined;

  /** @param origin such as `https://ocr.internal:8443` or `unix:/run/ocr.sock` */
  constructor(origin: string, options: ConnectorOptions = {}) {
    this.#path = socketOf(origin);
    const { protocol, hostname, host, port } = new URL(this.#path === undefined ? origin : "http://localhost");
    this.authority = options.authority ?? host;
    this.maxHeadBytes = options.maxHeadBytes;
    this.#secure = protocol === "https:";
    this.#host = hostname.replace(/^\[|\]$/g, "");
    this.#port = port === "" ? (this.#secure ? 443 : 80) : Number(port);
    this.#options = options;
    const { lookup = systemLookup, clock = () => performance.now() } = options;
    const isNamed = this.#path === undefined && isIP(this.#host) === 0;
    this.#book = isNamed ? new AddressBook(this.#host, lookup, clock) : undefined;
  }

  /**
   * Writing may begin at once. The errors until it is open are `UpstreamError`s, a time-out among them.
   * @param adopt gets the socket itself as soon as it is open, to be used from then on, and the address that it is of
   */
  open(onRead: OnRead, adopt: (socket: Socket, address: string) => void): Opening {
    const { onPhase } = this.#options;
    const book = this.#book;
    return new Opening({
      addresses: this.#addresses(),
      connect: ({ address }) => this.#connect(address, onRead),
      secure: this.#secure ? (socket) => this.#startTls(socket, onRead) : undefined,
      adopt: (socket, { address }) => adopt(socket, address),
      ...(book && { onShunned: ({ address }) => book.shun(address) }),
      ...(onPhase && { onPhase }),
      timeoutMs: this.#options.openTimeoutMs ?? OPEN_TIMEOUT_MS,
    });
  }

  /** The upstream's name does not have this address any more. */
  isGone(address: string): boolean {
    return this.#book?.isGone(address) === true;
  }

  /** Looks the name up again when it is time to; to be called often while there are connections. */
  refresh(now: number): void {
    this.#book?.refresh(now);
  }

  #addresses(): readonly Address[] | Promise<readonly Address[]> {
    if (this.#options.openFiles?.mayOpen() === false) {
      return Promise.reject(new UpstreamError("UPSTREAM_UNOPENED", "out_of_files"));
    }
    return this.#book?.inTurn() ?? [{ address: this.#host, family: isIP(this.#host) }];
  }

  #connect(host: string, onRead: OnRead): Socket {
    const path = this.#path;
    return connect({
      ...(path === undefined
        ? { host, port: this.#port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }
        : { path }),
      // TLS reads by itself.
      ...(!this.#secure && {
        onread: { buffer: READ_BUFFER, callback: (length) => onRead(READ_BUFFER.subarray(0, length)) },
      }),
    });
  }

  #startTls(connected: Socket, onRead: OnRead): TLSSocket {
    const { serverName = isIP(this.#host) === 0 ? this.#host : "", ca, clientCert, clientKey } = this.#options;
    if (ca !== undefined || clientCert !== undefined) {
      this.#context ??= nodeTls().createSecureContext({ ca, cert: clientCert, key: clientKey });
    }
    const socket = nodeTls().connect({
      socket: connected,
      // For the certificate's name; RFC 6066 §3: an address is not a name to be sent.
      host: this.#host,
      servername: serverName,
      ...(this.#context && { secureContext: this.#context }),
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
