import { connect, type Socket } from "node:net";
import { within } from "../../support/until.ts";
import type { Run } from "../row.ts";

/** What an upstream puts into everything that belongs to one call. */
export const markOf = (client: number, call: number): string => `c${client}n${call}z`;

const MARK = /c(\d+)n(\d+)z/g;

export interface MarkedAnswer {
  readonly status: number;
  /** It is the answer to this call, as far as it holds anything. */
  readonly own: boolean;
}

/**
 * A client on one connection that says which call is whose, and looks at every byte it gets for those of others: also at
 * what comes between its answers.
 */
export class MarkedClient {
  /** Calls of others, and earlier ones of its own, of which it got a byte. */
  foreign = 0;
  readonly #run: Run;
  readonly #url: URL;
  readonly #token: string;
  readonly #number: number;
  #socket: Socket | undefined;
  #received = "";
  #calls = 0;
  #wake: () => void = () => undefined;

  constructor(run: Run, url: string, token: string, number: number) {
    this.#run = run;
    this.#url = new URL(url);
    this.#token = token;
    this.#number = number;
  }

  /** @returns status 0 when the connection ended before the answer did */
  async call(method: string, path: string, body = ""): Promise<MarkedAnswer> {
    const socket = await this.#open();
    this.#calls += 1;
    const mark = markOf(this.#number, this.#calls);
    const content = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
    socket.write(
      `${method} ${path}/${mark} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${this.#token}\r\nX-Mark: ${mark}\r\n${content}\r\n${body}`,
    );
    let end = -1;
    while (end < 0 && !socket.destroyed) {
      end = endOf(this.#received, method);
      if (end < 0) await within(`${method} ${path}`, new Promise<void>((wake) => (this.#wake = wake)), 30_000);
    }
    const answer = end < 0 ? this.#received : this.#received.slice(0, end);
    this.#received = end < 0 ? "" : this.#received.slice(end);
    if (end < 0) this.#socket = undefined;
    this.#lookAt(answer);
    if (/\r\nConnection: close\r\n/i.test(answer)) this.close();
    return { status: end < 0 ? 0 : Number(answer.slice(9, 12)), own: answer.includes(mark) };
  }

  close(): void {
    // What came behind the last answer, too.
    this.#lookAt(this.#received);
    this.#received = "";
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #lookAt(text: string): void {
    for (const [, client, call] of text.matchAll(MARK)) {
      if (Number(client) !== this.#number || Number(call) !== this.#calls) this.foreign += 1;
    }
  }

  async #open(): Promise<Socket> {
    if (this.#socket !== undefined && !this.#socket.destroyed) return this.#socket;
    this.#lookAt(this.#received);
    this.#received = "";
    const socket = connect(Number(this.#url.port), this.#url.hostname);
    this.#run.after(() => socket.destroy());
    socket.setNoDelay(true).setEncoding("latin1");
    socket.on("data", (part: string) => {
      this.#received += part;
      this.#wake();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => this.#wake());
    this.#socket = socket;
    return socket;
  }
}

/** Where the first answer of the text ends, −1 when it does not yet. */
const endOf = (text: string, method: string): number => {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return -1;
  const start = head + 4;
  const status = text.slice(9, 12);
  if (method === "HEAD" || status === "204" || status === "304") return start;
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, start))?.[1];
  if (length !== undefined) return text.length >= start + Number(length) ? start + Number(length) : -1;
  const last = text.indexOf("0\r\n\r\n", start);
  return last < 0 ? -1 : last + 5;
};
