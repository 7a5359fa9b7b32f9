import { connect, type Socket } from "node:net";
import { now } from "./clock.ts";

/** Called with the time of the last byte. */
type Done = (at: number) => void;

interface Slot {
  readonly socket: Socket;
  done: Done | undefined;
  /** What came of an answer that is not whole yet. */
  pending: Buffer | undefined;
}

const HEAD_END = Buffer.from("\r\n\r\n");

/**
 * HTTP/1.1 over connections that are kept, one request at a time on each, and nothing that costs the load core more
 * than it must: requests are ready buffers, and of an answer only its status and Content-Length are read.
 */
export class LeanClient {
  readonly #url: URL;
  readonly #most: number;
  readonly #idle: Slot[] = [];
  readonly #sockets = new Set<Socket>();
  #onError: (error: Error) => void;

  /**
   * @param most how many connections there may be; one more at once is an error, as the load is no longer what it claims
   * @param onError a connection broke, or an answer was not 2xx: what was measured is void
   */
  constructor(url: string, most: number, onError: (error: Error) => void) {
    this.#url = new URL(url);
    this.#most = most;
    this.#onError = onError;
  }

  /** Opens connections beforehand. */
  async open(count: number): Promise<void> {
    await Promise.all(
      Array.from({ length: count }, async () => {
        const slot = this.#connect();
        await new Promise((ready) => slot.socket.once("connect", ready));
        this.#idle.push(slot);
      }),
    );
  }

  /** On the connection that was used last, or a new one when all are busy. */
  send(request: Buffer, done: Done): void {
    const slot = this.#idle.pop() ?? this.#connect();
    slot.done = done;
    slot.socket.write(request);
  }

  close(): void {
    this.#onError = () => undefined;
    for (const socket of this.#sockets) socket.destroy();
  }

  #connect(): Slot {
    if (this.#sockets.size >= this.#most) this.#onError(new Error(`more than ${this.#most} requests under way`));
    const socket = connect({ host: this.#url.hostname, port: Number(this.#url.port), noDelay: true });
    const slot: Slot = { socket, done: undefined, pending: undefined };
    this.#sockets.add(socket);
    socket.on("data", (chunk) => this.#received(slot, chunk));
    socket.on("error", (error) => this.#onError(error));
    socket.on("close", () => {
      if (slot.done === undefined) this.#forget(slot);
      else this.#onError(new Error("a connection was closed"));
    });
    return slot;
  }

  /** A server may end a connection that has had no request for long, with or without a word. */
  #forget(slot: Slot): void {
    this.#sockets.delete(slot.socket);
    const at = this.#idle.indexOf(slot);
    if (at >= 0) this.#idle.splice(at, 1);
    slot.socket.destroy();
  }

  #received(slot: Slot, chunk: Buffer): void {
    if (slot.done === undefined) {
      this.#forget(slot);
      return;
    }
    const bytes = slot.pending === undefined ? chunk : Buffer.concat([slot.pending, chunk]);
    const headEnd = bytes.indexOf(HEAD_END);
    const head = headEnd === -1 ? undefined : bytes.toString("latin1", 0, headEnd);
    const length = /\r\ncontent-length: *([0-9]+)/i.exec(head ?? "")?.[1];
    const whole = headEnd + HEAD_END.length + Number(length);
    if (head === undefined || bytes.length < whole) {
      slot.pending = bytes;
      return;
    }
    slot.pending = undefined;
    const { done } = slot;
    slot.done = undefined;
    if (!/^HTTP\/1\.1 2/.test(head) || length === undefined || bytes.length > whole || done === undefined) {
      this.#onError(new Error(`unexpected answer: ${bytes.toString("latin1").slice(0, 500)}`));
      return;
    }
    this.#idle.push(slot);
    done(now());
  }
}

/** 190 bytes of JSON, such as a chat call's. */
export const BODY: string = JSON.stringify({
  model: "x",
  messages: [{ role: "user", content: "a".repeat(139) }],
});

/** A POST of {@link BODY} as it goes over the wire. */
export const postRequest = (url: string, token: string, fields: Readonly<Record<string, string>> = {}): Buffer => {
  const { host, pathname } = new URL(url);
  const lines = [
    `POST ${pathname} HTTP/1.1`,
    `Host: ${host}`,
    `Authorization: Bearer ${token}`,
    "Content-Type: application/json",
    `Content-Length: ${BODY.length}`,
    ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${BODY}`, "latin1");
};
