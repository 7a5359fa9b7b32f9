import { wordsOf } from "./words.ts";

/** A curl command, understood. */
export interface CurlCall {
  readonly url: string;
  readonly method: string | undefined;
  /** `Name: value` each. */
  readonly headers: readonly string[];
  /** Parts of a form body, encoded. */
  readonly form: readonly string[];
  /** The file whose bytes are the body. */
  readonly file: string | undefined;
}

/**
 * Understands as much of curl as an e-mail uses.
 * @returns undefined for a command that is anything else: it must not be run
 */
export const curlCallOf = (command: string): CurlCall | undefined => {
  const [program, ...words] = wordsOf(command) ?? [];
  if (program !== "curl") return undefined;
  const urls: string[] = [];
  const headers: string[] = [];
  const form: string[] = [];
  let [method, file]: (string | undefined)[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (SILENCERS.has(word)) continue;
    if (!word.startsWith("-")) {
      urls.push(word);
      continue;
    }
    at += 1;
    const value = words[at];
    if (value === undefined) return undefined;
    if (word === "-X" || word === "--request") method = value;
    else if (word === "-H" || word === "--header") headers.push(value);
    else if ((word === "-d" || word === "--data") && !value.startsWith("@")) form.push(value);
    else if (word === "--data-urlencode" && /^[^=@]+=/.test(value)) form.push(urlEncoded(value));
    else if (word === "--data-binary" && value.startsWith("@")) file = value.slice(1);
    else return undefined;
  }
  const [url, ...more] = urls;
  return url === undefined || more.length > 0 || !/^https?:\/\//.test(url)
    ? undefined
    : { url, method, headers, form, file };
};

/** Every option with a value that {@link curlCallOf} takes. */
export const VALUE_OPTIONS: readonly string[] = [
  "-X",
  "--request",
  "-H",
  "--header",
  "-d",
  "--data",
  "--data-urlencode",
  "--data-binary",
];
const SILENCERS = new Set(["-s", "-S", "-sS", "--silent", "--show-error"]);

/** `name=content`: the content is encoded. */
const urlEncoded = (value: string): string => {
  const at = value.indexOf("=");
  return `${value.slice(0, at + 1)}${encodeURIComponent(value.slice(at + 1))}`;
};
