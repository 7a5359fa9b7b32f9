import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

/**
 * The request's body on its way to the upstream, with back-pressure. The incoming request itself is not handed to
 * undici: when the upstream fails, undici destroys the body it was given, and the request is still needed then, to be
 * drained while the client reads the answer.
 */
export class UploadBody extends Readable {
  /** Bytes received from the client. */
  received = 0;
  /** Everything was received. */
  complete = false;
  /** Everything was handed to the upstream's socket. */
  sent = false;
  readonly #incoming: IncomingMessage;

  constructor(incoming: IncomingMessage) {
    super();
    this.#incoming = incoming;
    // When the client breaks off there is no `end`, and so the upstream never sees a complete body.
    incoming.on("data", (chunk: Buffer) => {
      this.received += chunk.length;
      if (!this.destroyed && !this.push(chunk)) incoming.pause();
    });
    incoming.on("end", () => {
      this.complete = true;
      if (!this.destroyed) this.push(null);
    });
  }

  override _read(): void {
    this.#incoming.resume();
  }
}
