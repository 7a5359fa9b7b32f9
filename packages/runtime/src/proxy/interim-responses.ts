import type { Socket } from "node:net";

interface Awaiting {
  awaitingHead: boolean;
  sawBytes: boolean;
}

/** `HTTP/1.1 100`: enough to tell an interim response. */
const STATUS_END = 12;
const MAX_INTERIM = 16 * 1024;
const SWITCHING_PROTOCOLS = "101";

/**
 * Takes 1xx responses other than 101 out of what undici reads: it fails a request on any `100 Continue`, which a
 * client must be able to ignore even if it did not ask for one (RFC 9110 §15.2).
 */
export const skipInterimResponses = (socket: Socket, awaiting: Awaiting): void => {
  const read = socket.read;
  let held: Buffer | undefined;
  socket.read = function readFinal(this: Socket, size?: number): Buffer | null {
    for (;;) {
      const chunk: Buffer | null = read.call(this, size);
      if (!awaiting.awaitingHead || chunk === null || size === 0) return chunk;
      awaiting.sawBytes = true;
      const bytes = held === undefined ? chunk : Buffer.concat([held, chunk]);
      held = undefined;
      const final = afterInterim(bytes);
      if (final !== undefined) {
        awaiting.awaitingHead = false;
        return final;
      }
      held = lastInterim(bytes);
    }
  };
};

/** @returns what follows the interim responses; undefined when that has not arrived */
const afterInterim = (bytes: Buffer): Buffer | undefined => {
  let start = 0;
  for (;;) {
    if (!mayBeInterim(bytes, start)) return start === 0 ? bytes : bytes.subarray(start);
    const end = bytes.indexOf("\r\n\r\n", start);
    if (end < 0) return bytes.length - start > MAX_INTERIM ? bytes : undefined;
    start = end + 4;
  }
};

/** The incomplete rest that has to be held until more arrives. */
const lastInterim = (bytes: Buffer): Buffer => {
  const end = bytes.lastIndexOf("\r\n\r\n");
  return end < 0 ? bytes : bytes.subarray(end + 4);
};

const mayBeInterim = (bytes: Buffer, start: number): boolean => {
  const length = bytes.length - start;
  if (length >= STATUS_END) {
    if (bytes[start + 9] !== 0x31 || bytes[start] !== 0x48 || bytes[start + 8] !== 0x20) return false;
    return bytes.toString("latin1", start + 9, start + STATUS_END) !== SWITCHING_PROTOCOLS;
  }
  return "HTTP/1.1 1".startsWith(bytes.toString("latin1", start, start + Math.min(length, 10)));
};
