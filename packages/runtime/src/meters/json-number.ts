/** Parts of a number (RFC 8259 §6); it may end in those from WHOLE_ZERO on. */
export const MINUS = 0;
export const POINT = 1;
export const EXPONENT = 2;
export const SIGN = 3;
export const WHOLE_ZERO = 4;
export const WHOLE = 5;
export const FRACTION = 6;
export const POWER = 7;

/** Behind a digit, by the part it follows; −1: there must be none. */
const BEHIND_DIGIT: Int8Array = Int8Array.of(WHOLE, FRACTION, POWER, POWER, -1, WHOLE, FRACTION, POWER);

/** @returns −1 when the byte is no part of the number */
export const nextPart = (part: number, byte: number): number => {
  if (byte >= 0x30 && byte <= 0x39)
    return part === MINUS && byte === 0x30 ? WHOLE_ZERO : (BEHIND_DIGIT[part] as number);
  if (byte === 0x2e) return part === WHOLE_ZERO || part === WHOLE ? POINT : -1;
  if ((byte | 0x20) === 0x65) return part >= WHOLE_ZERO && part !== POWER ? EXPONENT : -1;
  return (byte === 0x2b || byte === 0x2d) && part === EXPONENT ? SIGN : -1;
};
