const SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const NO_SYMBOL = 64;
const VALUES = new Uint8Array(128).fill(NO_SYMBOL);
for (let value = 0; value < SYMBOLS.length; value += 1) VALUES[SYMBOLS.charCodeAt(value)] = value;

/**
 * The bytes of `text` from `start` to `end`, base64 without padding; written from `at` on.
 * @returns how many; -1 where it is not what {@link base64Of} would say of them
 */
export const bytesOf = (text: string, start: number, end: number, bytes: Buffer, at: number): number => {
  let bits = 0;
  let held = 0;
  let next = at;
  for (let index = start; index < end; index += 1) {
    const value = VALUES[text.charCodeAt(index)] ?? NO_SYMBOL;
    if (value === NO_SYMBOL) return -1;
    bits = ((bits << 6) | value) & 0xfff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes[next] = bits >>> held;
    next += 1;
  }
  // A symbol too many, or bits that belong to no byte.
  return held === 6 || (bits & ((1 << held) - 1)) !== 0 ? -1 : next - at;
};

export const base64Of = (bytes: Buffer, start: number, end: number): string => {
  const text = bytes.toString("base64", start, end);
  const padding = (3 - ((end - start) % 3)) % 3;
  return padding === 0 ? text : text.slice(0, -padding);
};
