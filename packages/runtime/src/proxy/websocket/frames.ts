import { randomBytes } from "node:crypto";

const CLOSE = 0x8;
const FINAL = 0x80;
const MASKED = 0x80;

/** RFC 6455 §7.4.1 */
export const GOING_AWAY = 1001;
export const POLICY_VIOLATION = 1008;

/** Between two frames, or within the first bytes of one. */
const FIRST = 0;
const SECOND = 1;
const LENGTH = 2;
const PAYLOAD = 3;

/**
 * Knows where in the frames of one direction its bytes have got to (RFC 6455 §5.2). It reads the headers and skips the
 * rest: what it costs goes by frames, and not by bytes.
 */
export class FrameTracker {
  /** A Close frame has begun: none may follow. */
  closed = false;
  #state: typeof FIRST | typeof SECOND | typeof LENGTH | typeof PAYLOAD = FIRST;
  /** Bytes of the extended length that are to come. */
  #digits = 0;
  /** Of the mask. */
  #mask = 0;
  /** Bytes of the payload, the mask before it among them, that are to come. */
  #left = 0;

  /** Whether a frame may be put behind what was read. */
  get isBetween(): boolean {
    return this.#state === FIRST;
  }

  read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#state === PAYLOAD) {
        const taken = Math.min(this.#left, bytes.length - at);
        this.#left -= taken;
        at += taken;
        if (this.#left === 0) this.#state = FIRST;
      } else this.#header(bytes[at++] as number);
    }
  }

  #header(byte: number): void {
    if (this.#state === FIRST) {
      if ((byte & 0xf) === CLOSE) this.closed = true;
      this.#state = SECOND;
    } else if (this.#state === SECOND) {
      const length = byte & 0x7f;
      this.#mask = byte >= MASKED ? 4 : 0;
      this.#digits = length === 126 ? 2 : length === 127 ? 8 : 0;
      this.#left = this.#digits === 0 ? length : 0;
      this.#state = LENGTH;
      if (this.#digits === 0) this.#payload();
    } else {
      this.#left = this.#left * 256 + byte;
      this.#digits -= 1;
      if (this.#digits === 0) this.#payload();
    }
  }

  #payload(): void {
    this.#left += this.#mask;
    this.#state = this.#left === 0 ? FIRST : PAYLOAD;
  }
}

/**
 * @param reason ASCII, 123 characters at most
 * @param masked as a client's frames are (RFC 6455 §5.3)
 */
export const closeFrame = (code: number, reason: string, masked: boolean): Buffer => {
  const payload = Buffer.from(`\0\0${reason}`, "latin1");
  payload.writeUInt16BE(code);
  if (!masked) return Buffer.concat([Buffer.of(FINAL | CLOSE, payload.length), payload]);
  const mask = randomBytes(4);
  for (let i = 0; i < payload.length; i += 1) payload[i] = (payload[i] as number) ^ (mask[i % 4] as number);
  return Buffer.concat([Buffer.of(FINAL | CLOSE, MASKED | payload.length), mask, payload]);
};
