import { withoutBlanks } from "../proxy/upstream/response-head.ts";

/** The head of a request whose content, if any, has a length. */
export interface WholeHead {
  /** As it was received, its empty line included. */
  readonly text: string;
  readonly method: string;
  /** In origin form, or what the guard will refuse. */
  readonly target: string;
  /** Name, value, name, value …, without the white space around values. */
  readonly fields: readonly string[];
  /** Bytes that follow. */
  readonly length: number;
}

export const HEAD_END: string = "\r\n\r\n";

/** Longer ones, and those with more fields, are Node's: it has bounds of its own. */
const MOST_BYTES = 8 * 1024;
const MOST_FIELDS = 64;

/**
 * A request line of HTTP/1.1 and fields, as RFC 9112 §3 and §5 have them, and nothing that it leaves to a reader's
 * leniency: blanks are single, lines end in CRLF, no line is folded. A subset of what Node's strict parser takes.
 */
const GRAMMAR =
  /^(?:GET|POST|PUT|PATCH|DELETE) \/[!-"$-~]* HTTP\/1\.1\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)+\r\n/;

/** What says how the request's content is framed, or what its connection does next: not even looked at here. */
const OTHERS = new Set(["transfer-encoding", "upgrade", "expect", "proxy-connection", "trailer", "http2-settings"]);
const LENGTHS_OF_OTHERS = new Set([...OTHERS].map(({ length }) => length));

/**
 * Reads the head of the plainest of requests, which nearly all are.
 * @param text Latin-1, at least the head, from its first byte on
 * @returns undefined for any other: it may be in order all the same
 */
export const readWholeHead = (text: string): WholeHead | undefined => {
  const end = text.indexOf(HEAD_END);
  if (end < 0 || end + HEAD_END.length > MOST_BYTES || !GRAMMAR.test(text)) return undefined;
  const line = text.indexOf("\r\n");
  const afterMethod = text.indexOf(" ");
  const fields: string[] = [];
  let length: number | undefined;
  for (let at = line + 2; at < end + 2; ) {
    if (fields.length === 2 * MOST_FIELDS) return undefined;
    const colon = text.indexOf(":", at);
    const next = text.indexOf("\r\n", colon);
    const name = text.slice(at, colon);
    const value = withoutBlanks(text, colon + 1, next);
    if (name.length === 10 && name.toLowerCase() === "connection") {
      if (value.toLowerCase() !== "keep-alive") return undefined;
    } else if (name.length === 14 && name.toLowerCase() === "content-length") {
      if (length !== undefined || !/^[0-9]{1,9}$/.test(value)) return undefined;
      length = Number(value);
    } else if (LENGTHS_OF_OTHERS.has(name.length) && OTHERS.has(name.toLowerCase())) return undefined;
    fields.push(name, value);
    at = next + 2;
  }
  return {
    text: text.slice(0, end + HEAD_END.length),
    method: text.slice(0, afterMethod),
    target: text.slice(afterMethod + 1, text.indexOf(" ", afterMethod + 1)),
    fields,
    length: length ?? 0,
  };
};
