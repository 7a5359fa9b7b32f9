import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

const CONNECT_TIMEOUT_MS = 10_000;
/** Finds upstreams that vanished without a FIN. */
const KEEP_ALIVE_MS = 60_000;

/**
 * One buffer for what all connections read, so that an idle one holds no memory for it and a read allocates none. On
 * Unix libuv asks for it, fills it and hands it over without anything in between, on whichever connection.
 */
const READ_BUFFER: Buffer = Buffer.allocUnsafeSlow(64 * 1024);

/** Gets what a socket reads; the bytes are overwritten after the call. @returns false to read no more for now */
export type OnRead = (bytes: Buffer) => boolean;

/** Opens connections to one origin. */
export class Connector {
  /** As the Host field names it. */
  readonly authority: string;
  readonly #secure: boolean;
  readonly #host: string;
  readonly #port: number;
  /** So that TLS sessions are resumed across connections. */
  #session: Buffer | undefined;

  /** @param origin such as `https://ocr.internal:8443` */
  constructor(origin: string) {
    const { protocol, hostname, host, port } = new URL(origin);
    this.authority = host;
    this.#secure = protocol === "https:";
    this.#host = hostname.replace(/^\[|\]$/g, "");
    this.#port = port === "" ? (this.#secure ? 443 : 80) : Number(port);
  }

  /** @returns a socket on which writing may begin at once; it fails with ETIMEDOUT after 10 s without a connection */
  open(onRead: OnRead): Socket {
    const socket = this.#secure ? this.#openTls(onRead) : this.#openTcp(onRead);
    const timer = setTimeout(() => socket.destroy(timedOut()), CONNECT_TIMEOUT_MS);
    const stop = (): void => clearTimeout(timer);
    socket.once(this.#secure ? "secureConnect" : "connect", stop);
    socket.once("close", stop);
    return socket;
  }

  #openTcp(onRead: OnRead): Socket {
    return connect({
      host: this.#host,
      port: this.#port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      onread: { buffer: READ_BUFFER, callback: (length) => onRead(READ_BUFFER.subarray(0, length)) },
    });
  }

  #openTls(onRead: OnRead): Socket {
    const socket = connectTls({
      host: this.#host,
      port: this.#port,
      // RFC 6066 §3: an address is not a name.
      servername: isIP(this.#host) === 0 ? this.#host : "",
      ALPNProtocols: ["http/1.1"],
      ...(this.#session && { session: this.#session }),
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on("session", (session: Buffer) => {
      this.#session = session;
    });
    socket.on("data", (bytes: Buffer) => {
      if (!onRead(bytes)) socket.pause();
    });
    return socket;
  }
}

const timedOut = (): Error =>
  Object.assign(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`), { code: "ETIMEDOUT" });
