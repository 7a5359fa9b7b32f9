import { randomBytes } from "node:crypto";

const ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";

/** Random identifier, 5 bits a character, without the letters people mistake for digits. */
export const randomId = (prefix: string, length: number): string => {
  let id = prefix;
  for (const byte of randomBytes(length)) id += ALPHABET.charAt(byte & 31);
  return id;
};
