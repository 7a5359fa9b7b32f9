/** A response's status line and fields, read strictly. */
export interface ResponseHead {
  readonly status: number;
  /** As Latin-1, like everything here: bytes above 127 come out as they went in. */
  readonly reason: string;
  /** Of HTTP/1.x. */
  readonly minor: number;
  /** Name, value, name, value … */
  readonly fields: string[];
}

/** What delimits the content after a head (RFC 9112 §6.3). */
export interface Framing {
  /** Bytes of content; −1 when no field says so. */
  readonly length: number;
  readonly chunked: boolean;
  /** The connection may carry another request afterwards. */
  readonly persistent: boolean;
  /** How long the upstream keeps an idle connection, milliseconds; Infinity when it does not say. */
  readonly keepAliveMs: number;
}

/** Node's own limit for requests. */
export const MAX_HEAD: number = 16 * 1024;
export const STATUS_LINE: RegExp = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: (.*))?$/;
/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** A control character, or a CR or LF that is not part of a CRLF: where readers disagree on what is a line. */
export const STRAY: RegExp = /[^\t\x20-\x7e\x80-\xff\r\n]|\r(?!\n)|(?<!\r)\n/;

const BEGINNING = Buffer.from("HTTP/1.");

/** Whether the bytes from `start` on begin like a response, as far as they go. */
export const beginsAsHead = (bytes: Buffer, start: number): boolean => {
  for (let i = 0; i < BEGINNING.length && start + i < bytes.length; i += 1) {
    if (bytes[start + i] !== BEGINNING[i]) return false;
  }
  return true;
};

/** Whether bytes that begin like a response, and do not hold a whole head yet, may become one. */
export const mayBecomeHead = (text: string): boolean => !STRAY.test(text.endsWith("\r") ? text.slice(0, -1) : text);

/**
 * @param text from the status line to the last field, each line with its CRLF
 * @returns undefined for anything but plain HTTP/1.x: folded lines, blanks around names, stray control characters
 */
export const parseHead = (text: string): ResponseHead | undefined => {
  if (STRAY.test(text)) return undefined;
  const end = text.indexOf("\r\n");
  const status = STATUS_LINE.exec(text.slice(0, end));
  if (status === null) return undefined;
  const fields = parseFields(text, end + 2);
  if (fields === undefined) return undefined;
  return { minor: status[1] === "1" ? 1 : 0, status: Number(status[2]), reason: status[3] ?? "", fields };
};

/** @param text field lines from `start` on, each with its CRLF and nothing stray in them */
export const parseFields = (text: string, start: number): string[] | undefined => {
  const fields: string[] = [];
  for (let from = start; from < text.length; ) {
    const end = text.indexOf("\r\n", from);
    const colon = text.indexOf(":", from);
    if (colon < 0 || colon > end) return undefined;
    const name = text.slice(from, colon);
    if (!TOKEN.test(name)) return undefined;
    fields.push(name, withoutBlanks(text, colon + 1, end));
    from = end + 2;
  }
  return fields;
};

/** A part of a text without the blanks around it; `trim` would also take U+00A0, which is content here. */
export const withoutBlanks = (text: string, start: number, end: number): string => {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
};

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/**
 * @returns undefined when two readers could disagree about where the content ends: both lengths, one twice, a coding
 *   other than `chunked`, a coding in HTTP/1.0
 */
export const framingOf = ({ fields, minor }: ResponseHead): Framing | undefined => {
  let length = -1;
  let chunked = false;
  let persistent = minor === 1;
  let keepAliveMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? "";
    const value = fields[i + 1] ?? "";
    // A look at the length spares a lower-case copy of nearly every name.
    switch (name.length) {
      case 10:
        if (/^connection$/i.test(name)) persistent &&= !/(?:^|[,\s])close(?:$|[,\s])/i.test(value);
        else if (/^keep-alive$/i.test(name))
          keepAliveMs = 1_000 * Number(/timeout=([0-9]{1,6})/i.exec(value)?.[1] ?? Infinity);
        break;
      case 14:
        if (!/^content-length$/i.test(name)) break;
        if (length >= 0 || !/^[0-9]{1,15}$/.test(value)) return undefined;
        length = Number(value);
        break;
      case 17:
        if (!/^transfer-encoding$/i.test(name)) break;
        if (chunked || minor === 0 || value.toLowerCase() !== "chunked") return undefined;
        chunked = true;
        break;
    }
  }
  return chunked && length >= 0 ? undefined : { length, chunked, persistent, keepAliveMs };
};
