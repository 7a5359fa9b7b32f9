import type { IncomingMessage } from "node:http";
import { READING_TURNS, type TurnReader } from "./reading-turns.ts";
import type { Connection } from "./upstream/connection.ts";

/** Whom an upload is told to. */
export interface UploadHandler {
  /** It can go. @param content all of it; undefined: {@link Upload.pump} brings it */
  onUploadReady(content: Buffer | undefined): void;
  /** As {@link onUploadReady}: of one that was to be had whole, see {@link Upload.startWhole}. */
  onUploadWhole(content: Buffer): void;
  /** A part of it is passed on. */
  onUploadMoved(): void;
  /** It was. */
  onUploadSent(bytes: Buffer): void;
  /** All of it was. */
  onUploaded(): void;
}

/** So much of a body is kept for another try. */
const MOST_KEPT = 64 * 1024;

/** A body that has arrived whole when the call starts goes out in one write with the head. */
const WHOLE_BODY = 16 * 1024;

/** The content of one request on its way to the upstream. */
export class Upload implements TurnReader {
  /** Received from the client. */
  bytes = 0;
  /** Nothing of it is outstanding at the client. */
  isComplete = false;
  /** The upstream does not take it at the pace at which it comes, and the client is not read. */
  isHeld = false;
  readonly #incoming: IncomingMessage;
  readonly #handler: UploadHandler;
  #connection: Connection | undefined;
  /** Others read first. */
  #waits = false;
  /** What was passed on so far; undefined when nobody wants it again, or it is more than may be kept. */
  #kept: Buffer[] | undefined;

  /** @param keeps it may be wanted again: see {@link replay} */
  constructor(incoming: IncomingMessage, handler: UploadHandler, keeps: boolean) {
    this.#incoming = incoming;
    this.#handler = handler;
    this.#kept = keeps ? [] : undefined;
  }

  /** All that was passed on, to be sent again; undefined when it is not all there any more. */
  get kept(): readonly Buffer[] | undefined {
    return this.#kept;
  }

  /** It will not be wanted again. */
  forget(): void {
    this.#kept = undefined;
  }

  /** Something else goes in its place, now and when it is sent again. */
  replaceBy(content: Buffer): void {
    if (this.#kept !== undefined) this.#kept = content.length <= MOST_KEPT ? [content] : undefined;
  }

  /** Waits for all of it, however long that takes; the client's own pace is watched by the handler. */
  startWhole(): void {
    const incoming = this.#incoming;
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => {
      this.#received(chunk);
      chunks.push(chunk);
      this.#handler.onUploadMoved();
    });
    incoming.on("end", () => {
      this.isComplete = true;
      const whole = Buffer.concat(chunks);
      this.replaceBy(whole);
      this.#handler.onUploadWhole(whole);
    });
  }

  /** @param declared its length, −1 when it is chunked */
  start(declared: number): void {
    if (declared < 0 || declared > WHOLE_BODY) this.#handler.onUploadReady(undefined);
    else if (this.#incoming.readableLength < declared) {
      // Node announces a request before it parses the body in the same packet; that is done when this runs.
      queueMicrotask(() => this.#startSmall(declared));
    } else this.#startSmall(declared);
  }

  #startSmall(declared: number): void {
    const { readableLength } = this.#incoming;
    const whole: Buffer | null = readableLength === declared ? this.#incoming.read(declared) : null;
    if (whole !== null) {
      this.#kept?.push(whole);
      this.bytes = declared;
      this.isComplete = true;
    }
    this.#handler.onUploadReady(whole ?? undefined);
  }

  /** Passes the content on as it comes; what comes when nobody wants it any more is thrown away. */
  pump(connection: Connection): void {
    this.#connection = connection;
    const incoming = this.#incoming;
    const chunked = incoming.headers["transfer-encoding"] !== undefined;
    incoming.on("data", (chunk: Buffer) => {
      this.#received(chunk);
      if (this.#connection === undefined) return;
      if (this.#kept !== undefined) this.#keep(this.#kept, chunk);
      this.#handler.onUploadMoved();
      const mayGoOn = this.#connection.write(chunk, chunked);
      this.#handler.onUploadSent(chunk);
      if (!mayGoOn) this.#hold();
    });
    // When the client breaks off there is no `end`, and so the upstream never sees a complete body.
    incoming.on("end", () => {
      this.isComplete = true;
      this.#connection?.endContent(chunked);
      this.#handler.onUploaded();
    });
  }

  #received(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (!READING_TURNS.mayReadOn(this, chunk.length)) {
      this.#waits = true;
      this.#incoming.pause();
    }
  }

  #keep(kept: Buffer[], chunk: Buffer): void {
    // A copy: a large piece gives its memory back as soon as it was passed on.
    if (this.bytes <= MOST_KEPT) kept.push(Buffer.from(chunk));
    else this.#kept = undefined;
  }

  /** Passes on again what is kept, on a connection that has its head already; what follows comes as it came. */
  replay(connection: Connection): void {
    this.#connection = connection;
    const chunked = this.#incoming.headers["transfer-encoding"] !== undefined;
    let mayGoOn = true;
    for (const chunk of this.#kept ?? []) mayGoOn = connection.write(chunk, chunked);
    if (this.isComplete) connection.endContent(chunked);
    else if (mayGoOn) this.resume();
    else this.#hold();
  }

  #hold(): void {
    this.isHeld = true;
    this.#incoming.pause();
  }

  /** The upstream takes more of it. */
  resume(): void {
    this.isHeld = false;
    if (!this.#waits) this.#incoming.resume();
  }

  readOn(): void {
    this.#waits = false;
    if (!this.isHeld) this.#incoming.resume();
  }

  /** What is left of it is thrown away: a client may want to be rid of it before it reads the answer. */
  abandon(): void {
    this.#connection = undefined;
    if (!this.isComplete) this.resume();
  }
}
