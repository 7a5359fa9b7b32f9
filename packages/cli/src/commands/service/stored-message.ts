import { fileIn } from "../../app/file-in.ts";

/** A message of HTTP that was kept in a file: with its head, as `curl -i` writes it, or its content alone. */
export interface MessageInFile {
  /** Undefined for a request, and where there is no head. */
  readonly status: number | undefined;
  /** Name, value, name, value … */
  readonly fields: readonly string[];
  readonly content: Buffer;
}

/** Beyond what a meter looks at, and a whole hour of audio. */
const MAX_FILE = 256 * 1024 * 1024;

/** @throws AigwError `invalid_value` naming the flag and the file */
export const readMessageFile = (flag: string, file: string, cwd: string): MessageInFile =>
  messageIn(fileIn(file, { from: flag, cwd, maxBytes: MAX_FILE }));

/** With `curl -i` an interim head, or that of a proxy, comes before the one that counts. */
const messageIn = (bytes: Buffer): MessageInFile => {
  let status: number | undefined;
  let fields: readonly string[] = [];
  let content = bytes;
  for (;;) {
    const head = headOf(content);
    if (head === undefined) break;
    [status, fields] = [head.status, head.fields];
    content = content.subarray(head.length);
  }
  const type = fieldOf(fields, "content-type") === undefined ? typeOf(content) : undefined;
  return {
    status,
    fields: [...withoutDecoded(fields, content), ...(type === undefined ? [] : ["Content-Type", type])],
    content,
  };
};

const MAX_HEAD = 64 * 1024;

const headOf = (
  bytes: Buffer,
): { readonly status: number; readonly fields: readonly string[]; readonly length: number } | undefined => {
  const start = bytes.toString("latin1", 0, MAX_HEAD);
  const [, code] = /^HTTP\/\d(?:\.\d)? (\d{3})[^\n]*\n/.exec(start) ?? [];
  const end = /\r?\n\r?\n/.exec(start);
  if (code === undefined || end === null) return undefined;
  const lines = start.slice(0, end.index).split(/\r?\n/).slice(1);
  const fields = lines.flatMap((line) => {
    const colon = line.indexOf(":");
    return colon < 1 ? [] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
  return { status: Number(code), fields, length: end.index + end[0].length };
};

const fieldOf = (fields: readonly string[], name: string): string | undefined => {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field.toLowerCase() === name);
  return at < 0 ? undefined : fields[at + 1];
};

/** `curl --compressed` writes what it has decompressed, under the head as it came. */
const withoutDecoded = (fields: readonly string[], content: Buffer): readonly string[] => {
  if (fieldOf(fields, "content-encoding") === undefined || !looksLikeText(content)) return fields;
  return fields.filter((_, index) => fields[index - (index % 2)]?.toLowerCase() !== "content-encoding");
};

const looksLikeText = (content: Buffer): boolean =>
  /^\s*(?:[{[]|data:|event:|:)/.test(content.toString("latin1", 0, 256));

/** What an answer without a head is, by what it looks like. */
const typeOf = (content: Buffer): string | undefined => {
  const text = content.toString("latin1", 0, MAX_HEAD).trimStart();
  if (/^(?:data|event|id|retry)?:/.test(text)) return "text/event-stream";
  if (!/^[{[]/.test(text)) return undefined;
  const [first = "", second = ""] = text.split(/\r?\n/, 2);
  return isJson(first) && second.trim().startsWith("{") ? "application/x-ndjson" : "application/json";
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};
