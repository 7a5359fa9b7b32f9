import { base64Of, bytesOf } from "./base64.ts";
import type { Client } from "./client.ts";

/** Units of UTF-16 of an id and of a name, each of which takes three bytes of UTF-8 at most. */
export const MAX_KEY_UNITS = 85;
const LENGTH_BYTES = 4;
/** Only the value tells. */
const FAR_EPOCH = 255;
/** Kept for good, so bounded: beyond, a client is kept with the names of its fields. Hardly ever are there twenty. */
const MAX_FIELD_LISTS = 1_000;
const MAX_PREFIXES = 255;
const SCRATCH_BYTES = 4_096;
/** What any value but a JSON text takes at most. */
const MAX_VALUE_BYTES = 512;

/** The byte before a value, which says what it is. */
const ABSENT = 0;
/** The id or the name, which stand before. */
const KEY = 1;
/** Four bytes of length, then the text. */
const JSON_TEXT = 2;
/** A byte of length, then UTF-8. */
const TEXT = 3;
/** A hash in PHC format: what is before its salt, by number; then a byte of length and the bytes, of salt and hash. */
const HASH = 4;
/** And the number of bytes of a whole number, 0 to 6, lowest first. */
const WHOLE = 8;
const MAX_WHOLE = 2 ** 48;
/** And the length of a text that is ASCII. */
const ASCII = 16;
const MAX_ASCII = 255 - ASCII;
/** As of a key: what it takes in UTF-8 is told by a byte. */
const MAX_TEXT_UNITS = MAX_KEY_UNITS;
const NOT_PACKED = -1;

/**
 * A client as bytes: four of the record's length; the id and the name, each after a byte of length; the credential
 * epoch (a byte, or 255); a number for the names of its fields and their order (two bytes, or 0); then the values.
 * Whatever is no short text or whole number is JSON.
 */
export class ClientCodec {
  #bytes: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  /** Lists of fields, by number; the first is none. */
  readonly #fields: (readonly string[])[] = [[]];
  readonly #fieldNumbers = new Map<string, number>();
  #lastNumber = 0;
  readonly #prefixes: string[] = [];

  /** What was packed last, from 0 on. */
  get packed(): Buffer {
    return this.#bytes;
  }

  /**
   * What JSON keeps of it; a field that is undefined is absent.
   * @param client whose id and name have at most {@link MAX_KEY_UNITS} each
   * @returns the record's length, in {@link packed}
   */
  pack(client: Client): number {
    let at = packKey(client.id, this.#bytes, LENGTH_BYTES);
    at = packKey(client.name, this.#bytes, at);
    const fields = Object.keys(client);
    const number = this.#numberOf(fields);
    const { epoch } = client;
    this.#bytes[at] = Number.isInteger(epoch) && epoch >= 0 && epoch < FAR_EPOCH ? epoch : FAR_EPOCH;
    this.#bytes[at + 1] = number & 0xff;
    this.#bytes[at + 2] = number >>> 8;
    at += 3;
    if (number === 0) at = this.#packJson(client, at);
    else for (const field of fields) at = this.#packField(client, field as keyof Client, at);
    setLength(this.#bytes, 0, at);
    return at;
  }

  /** @param at where the record begins */
  unpack(bytes: Buffer, start: number): Client {
    const nameAt = nameOf(bytes, start);
    const epochAt = nameAt + 1 + byte(bytes, nameAt);
    const fields = this.#fields[byte(bytes, epochAt + 1) + byte(bytes, epochAt + 2) * 256] as readonly string[];
    let at = epochAt + 3;
    if (fields.length === 0) return jsonAt(bytes, at + 1) as Client;
    const client: Record<string, unknown> = {};
    for (const field of fields) {
      const kind = byte(bytes, at);
      at += 1;
      if (kind >= ASCII) {
        const end = at + kind - ASCII;
        client[field] = bytes.toString("latin1", at, end);
        at = end;
      } else if (kind >= WHOLE) {
        const end = at + kind - WHOLE;
        client[field] = kind === WHOLE ? 0 : bytes.readUIntLE(at, kind - WHOLE);
        at = end;
      } else if (kind === KEY) {
        const keyAt = field === "id" ? idOf(start) : nameAt;
        client[field] = bytes.toString("utf8", keyAt + 1, keyAt + 1 + byte(bytes, keyAt));
      } else if (kind === HASH) {
        const saltEnd = at + 2 + byte(bytes, at + 1);
        const end = saltEnd + 1 + byte(bytes, saltEnd);
        const prefix = this.#prefixes[byte(bytes, at)];
        client[field] = `${prefix}${base64Of(bytes, at + 2, saltEnd)}$${base64Of(bytes, saltEnd + 1, end)}`;
        at = end;
      } else if (kind === TEXT) {
        const end = at + 1 + byte(bytes, at);
        client[field] = bytes.toString("utf8", at + 1, end);
        at = end;
      } else if (kind === JSON_TEXT) {
        client[field] = jsonAt(bytes, at);
        at += LENGTH_BYTES + lengthAt(bytes, at);
      }
    }
    return client as unknown as Client;
  }

  /** @returns where it ends */
  #packField(client: Client, field: keyof Client, at: number): number {
    const value = client[field];
    if (at + MAX_VALUE_BYTES > this.#bytes.length) this.#grow(at, MAX_VALUE_BYTES);
    const bytes = this.#bytes;
    if (field === "id" || field === "name") {
      bytes[at] = KEY;
      return at + 1;
    }
    if (typeof value === "string") {
      if (field === "passwordHash") {
        const end = this.#packHash(value, at);
        if (end !== NOT_PACKED) return end;
      }
      const end = packAscii(value, bytes, at);
      if (end !== NOT_PACKED) return end;
      // Half a surrogate pair has no UTF-8.
      if (value.length <= MAX_TEXT_UNITS && value.isWellFormed()) {
        const length = bytes.write(value, at + 2);
        bytes[at] = TEXT;
        bytes[at + 1] = length;
        return at + 2 + length;
      }
    } else if (typeof value === "number" && value >= 0 && value < MAX_WHOLE && Number.isInteger(value)) {
      return packWhole(value, bytes, at);
    } else if (value === undefined) {
      bytes[at] = ABSENT;
      return at + 1;
    }
    return this.#packJson(value, at);
  }

  /** Any text whose last two parts, after a dollar sign each, are base64; else {@link NOT_PACKED}. */
  #packHash(phc: string, at: number): number {
    const hashFrom = phc.lastIndexOf("$") + 1;
    const saltFrom = phc.lastIndexOf("$", hashFrom - 2) + 1;
    if (saltFrom === 0 || hashFrom - saltFrom < 2 || phc.length > MAX_ASCII) return NOT_PACKED;
    const bytes = this.#bytes;
    const salt = bytesOf(phc, saltFrom, hashFrom - 1, bytes, at + 3);
    if (salt === -1) return NOT_PACKED;
    const hash = bytesOf(phc, hashFrom, phc.length, bytes, at + 4 + salt);
    if (hash === -1) return NOT_PACKED;
    const prefix = this.#prefixNumber(phc, saltFrom);
    if (prefix === -1) return NOT_PACKED;
    bytes[at] = HASH;
    bytes[at + 1] = prefix;
    bytes[at + 2] = salt;
    bytes[at + 3 + salt] = hash;
    return at + 4 + salt + hash;
  }

  #prefixNumber(phc: string, length: number): number {
    for (let number = 0; number < this.#prefixes.length; number += 1) {
      const prefix = this.#prefixes[number] as string;
      if (prefix.length === length && phc.startsWith(prefix)) return number;
    }
    return this.#prefixes.length > MAX_PREFIXES ? -1 : this.#prefixes.push(phc.slice(0, length)) - 1;
  }

  #packJson(value: unknown, at: number): number {
    const text = JSON.stringify(value);
    // At most three bytes for each unit of UTF-16.
    this.#grow(at, 1 + LENGTH_BYTES + text.length * 3);
    const length = this.#bytes.write(text, at + 1 + LENGTH_BYTES);
    this.#bytes[at] = JSON_TEXT;
    setLength(this.#bytes, at + 1, length);
    return at + 1 + LENGTH_BYTES + length;
  }

  #grow(at: number, more: number): void {
    if (at + more > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes.subarray(0, at)], (at + more) * 2);
  }

  /** 0: there are too many others. */
  #numberOf(fields: readonly string[]): number {
    const last = this.#fields[this.#lastNumber] as readonly string[];
    if (last.length === fields.length && fields.every((field, index) => field === last[index])) return this.#lastNumber;
    const list = fields.join();
    let number = this.#fieldNumbers.get(list);
    if (number === undefined) {
      if (this.#fields.length > MAX_FIELD_LISTS || !fields.every(isPlain)) return 0;
      number = this.#fields.push(fields) - 1;
      this.#fieldNumbers.set(list, number);
    }
    this.#lastNumber = number;
    return number;
  }
}

/** Of the record that begins there. */
export const lengthAt = (bytes: Buffer, at: number): number =>
  byte(bytes, at) + byte(bytes, at + 1) * 2 ** 8 + byte(bytes, at + 2) * 2 ** 16 + byte(bytes, at + 3) * 2 ** 24;

/** Below 4 GiB, which no text is long enough for. */
const setLength = (bytes: Buffer, at: number, length: number): void => {
  bytes[at] = length & 0xff;
  bytes[at + 1] = (length >>> 8) & 0xff;
  bytes[at + 2] = (length >>> 16) & 0xff;
  bytes[at + 3] = length >>> 24;
};

/** Where the length of the id stands, of the record that begins there; then the id. */
export const idOf = (at: number): number => at + LENGTH_BYTES;

/** Where the length of the name stands; then the name. */
export const nameOf = (bytes: Buffer, at: number): number => at + LENGTH_BYTES + 1 + byte(bytes, at + LENGTH_BYTES);

/** @returns undefined: only the whole client tells */
export const epochOf = (bytes: Buffer, at: number): number | undefined => {
  const nameAt = nameOf(bytes, at);
  const epoch = byte(bytes, nameAt + 1 + byte(bytes, nameAt));
  return epoch === FAR_EPOCH ? undefined : epoch;
};

const byte = (bytes: Buffer, at: number): number => bytes[at] as number;

/** @returns where it ends */
const packKey = (key: string, bytes: Buffer, at: number): number => {
  const length = bytes.write(key, at + 1);
  bytes[at] = length;
  return at + 1 + length;
};

/** @returns where it ends, or {@link NOT_PACKED} */
const packAscii = (text: string, bytes: Buffer, at: number): number => {
  if (text.length > MAX_ASCII) return NOT_PACKED;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return NOT_PACKED;
    bytes[at + 1 + index] = unit;
  }
  bytes[at] = ASCII + text.length;
  return at + 1 + text.length;
};

/** @returns where it ends */
const packWhole = (value: number, bytes: Buffer, at: number): number => {
  let end = at + 1;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) {
    bytes[end] = rest % 256;
    end += 1;
  }
  bytes[at] = WHOLE + end - at - 1;
  return end;
};

/** @param at where its length stands */
const jsonAt = (bytes: Buffer, at: number): unknown => {
  const start = at + LENGTH_BYTES;
  return JSON.parse(bytes.toString("utf8", start, start + lengthAt(bytes, at)));
};

/** One that an assignment makes, unlike `__proto__`, and without a comma. */
const isPlain = (field: string): boolean => /^[A-Za-z]\w*$/.test(field);
