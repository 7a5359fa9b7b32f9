/** Smaller pieces are few bytes each, and the collector comes by for them often enough. */
const LARGE = 16 * 1024;

/**
 * Every piece of a body that is passed on becomes garbage, and V8 lets 64 MiB of such memory gather before it looks for
 * it. So a large one gives its memory back as soon as the system has taken it: an ArrayBuffer that is transferred leaves
 * its memory, and one of length zero keeps none.
 * @param piece nobody reads it after it was written
 * @returns what is to be called when it was; undefined for one that is small, or whose memory is not its own alone
 */
export const onPassedOn = (piece: Buffer): (() => void) | undefined => {
  const { buffer } = piece;
  if (piece.length < LARGE || buffer.byteLength !== piece.length || !(buffer instanceof ArrayBuffer)) return undefined;
  return () => void buffer.transfer(0);
};

/** A copy that is written, and whose memory is its own when it is large. */
export const ownCopy = (bytes: Buffer): Buffer => {
  if (bytes.length < LARGE) return Buffer.from(bytes);
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
};
