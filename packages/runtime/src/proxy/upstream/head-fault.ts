import type { Fault } from "@aigw/core/services";
import { MAX_HEAD, parseFields, STATUS_LINE } from "./response-head.ts";

/** A TLS record: an alert or a handshake message, of whatever version. */
const isTls = (bytes: Buffer): boolean => (bytes[0] === 0x15 || bytes[0] === 0x16) && bytes[1] === 0x03;

const SETTINGS = 4;
const GOAWAY = 7;
/** An HTTP/2 frame of the connection itself (RFC 9113 §4.1): the first that a server sends. */
const isHttp2 = (bytes: Buffer): boolean =>
  bytes.length >= 9 && (bytes[3] === SETTINGS || bytes[3] === GOAWAY) && bytes.readUInt32BE(5) === 0;

/**
 * What is wrong with a head that was refused. Looked for only then, so that a valid one costs nothing.
 * @param bytes from the status line on: to the last field with its CRLF, or as far as it had come
 * @param maxHead the most that it may have
 */
export const headFault = (bytes: Buffer, maxHead: number = MAX_HEAD): Fault => {
  const text = bytes.toString("latin1");
  if (!text.startsWith("HTTP/")) {
    if (isTls(bytes)) return "speaks_tls";
    return isHttp2(bytes) ? "http2_only" : "not_http";
  }
  if (bytes.length > maxHead) return "head_too_large";
  // A CR at the end may still get its LF.
  if (/\r(?!\n|$)|(?<!\r)\n/.test(text)) return "bare_line_feed";
  const end = text.indexOf("\r\n");
  const status = STATUS_LINE.exec(end < 0 ? text : text.slice(0, end));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is looked for
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text)) return "control_character";
  if (status === null || end < 0) return "bad_status_line";
  if (/\r\n[ \t]/.test(text)) return "folded_line";
  if (Number(status[2]) < 200) return status[2] === "101" ? "switched_protocols" : "bad_status_line";
  const fields = parseFields(text, end + 2);
  return fields === undefined ? "bad_field" : framingFault(fields);
};

const framingFault = (fields: readonly string[]): Fault => {
  const valuesOf = (name: string): readonly string[] =>
    fields.filter((_, index) => index % 2 === 1 && fields[index - 1]?.toLowerCase() === name);
  const lengths = valuesOf("content-length");
  if (lengths.length > 1) return "two_lengths";
  if (valuesOf("transfer-encoding").length === 0) return "bad_length";
  return lengths.length > 0 ? "length_and_coding" : "bad_coding";
};
