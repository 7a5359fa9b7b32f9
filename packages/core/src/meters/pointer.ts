import { AigwError } from "../errors.ts";

/** A parsed JSON pointer (RFC 6901): its reference tokens, unescaped. Empty: the whole document. */
export type Pointer = readonly string[];

/** A pointer is compared with every key on its way: it is not to be a program. */
const MAX_TOKENS = 16;
const MAX_LENGTH = 256;

/**
 * `/stats/chars`, or as a URI fragment (RFC 6901 §6) `#/a%2Cb`, for a key with a comma, which separates meters.
 * `#` alone is the whole document.
 * @throws AigwError `invalid_value`
 */
export const parsePointer = (value: string): Pointer => {
  const refuse = (why: string): AigwError =>
    new AigwError("invalid_value", `JSON pointer '${value}' is not valid: ${why}.`);
  if (value.length > MAX_LENGTH) throw refuse(`it is longer than ${MAX_LENGTH} characters`);
  const text = value.startsWith("#") ? percentDecoded(value.slice(1)) : value;
  if (text === undefined) throw refuse("after # it is percent-encoded, such as #/a%2Cb");
  if (text === "") return [];
  if (!text.startsWith("/")) throw refuse("it starts with /, such as /usage/pages");
  if (/~(?![01])/.test(text)) throw refuse("~ is written as ~0, and / within a key as ~1");
  const tokens = text.slice(1).split("/");
  if (tokens.length > MAX_TOKENS) throw refuse(`it has more than ${MAX_TOKENS} parts`);
  return tokens.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
};

/** As {@link parsePointer} reads it. */
export const pointerInWords = (pointer: Pointer): string => {
  const text = pointer.map((token) => `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  if (/^[^,\s\p{C}]+$/u.test(text)) return text;
  const encoded = text.split("/").map(encodeURIComponent).join("/");
  return `#${encoded}`;
};

const percentDecoded = (value: string): string | undefined => {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
};
