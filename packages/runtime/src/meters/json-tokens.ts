import { MAX_VALUE } from "@aigw/core/meters";

/** What is in a slot: no such value yet; a value that is no quantity. */
export const UNSET: number = Number.NaN;
export const BAD = -1;

/** The longest number that is read; what is longer is no quantity. */
const MAX_NUMBER = 64;

/**
 * A string without its quotes.
 * @param held its part from earlier pieces, as Latin-1; @param escaped whether there may be escapes in it
 */
export const textOf = (held: string, escaped: boolean, bytes: Buffer, start: number, end: number): string => {
  if (held === "" && !escaped) return bytes.toString("utf8", start, end);
  const text = Buffer.from(held + bytes.toString("latin1", start, end), "latin1").toString();
  if (!escaped) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    // Cut within an escape, or passed over with something in it that must not be there.
    return text;
  }
};

/**
 * @param held as for {@link textOf}; @param isWhole it has neither a point nor an exponent
 * @returns 0 to MAX_VALUE, or {@link BAD}
 */
export const numberOf = (
  held: string,
  isWhole: boolean,
  bytes: Buffer | undefined,
  start: number,
  end: number,
): number => {
  if (isWhole && held === "" && bytes !== undefined && end - start <= 9 && bytes[start] !== 0x2d) {
    let value = 0;
    for (let i = start; i < end; i += 1) value = value * 10 + (bytes[i] as number) - 0x30;
    return value;
  }
  const text = held + (bytes?.toString("latin1", start, Math.min(end, start + MAX_NUMBER + 1)) ?? "");
  const value = text.length > MAX_NUMBER ? BAD : Number(text);
  // A zero may have a sign.
  return value >= 0 && value <= MAX_VALUE ? value + 0 : BAD;
};
