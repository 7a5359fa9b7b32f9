import type { IncomingMessage } from "node:http";

/** What a client wishes for that wants its call to become a job. */
export interface JobWish {
  /** Who is to be told of the job's end, as it was given. */
  readonly callback: string | undefined;
  /** The other preferences, for the service; empty: none. */
  readonly others: string;
}

/** Ours to answer, so that the service does not see them; `wait` is about an answer that would be waited for. */
const OURS = new Set(["respond-async", "callback", "wait"]);

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const QUOTED = /^"(?:[^"\\]|\\.)*"$/;

interface Preference {
  readonly name: string;
  readonly value: string;
  /** With its parameters, as it came. */
  readonly whole: string;
}

/**
 * The preferences of a field (RFC 7240 §2): a token, with a token or a quoted string as its value, and parameters. One
 * pass: a pattern that had to tell all of it apart would try what a hostile field may mean in more ways than there is time.
 */
function* preferencesOf(field: string): Generator<Preference> {
  let [start, headEnd, isQuoted] = [0, -1, false];
  for (let at = 0; at <= field.length; at += 1) {
    const char = field[at];
    if (isQuoted && char !== undefined) {
      if (char === "\\") at += 1;
      else if (char === '"') isQuoted = false;
    } else if (char === '"') isQuoted = true;
    else if (char === ";" && headEnd < 0) headEnd = at;
    else if (char === "," || (char === undefined && !isQuoted)) {
      const found = preferenceOf(field.slice(start, at).trim(), field.slice(start, headEnd < 0 ? at : headEnd));
      if (found !== undefined) yield found;
      [start, headEnd] = [at + 1, -1];
    }
  }
}

/** @param head what is before its parameters. @returns undefined for an empty element, and for what is none */
const preferenceOf = (whole: string, head: string): Preference | undefined => {
  const equals = head.indexOf("=");
  const name = (equals < 0 ? head : head.slice(0, equals)).trim();
  const value = equals < 0 ? "" : head.slice(equals + 1).trim();
  return TOKEN.test(name) && (value === "" || TOKEN.test(value) || QUOTED.test(value))
    ? { name, value, whole }
    : undefined;
};

/** Undefined when no job is wished for. Of a preference that comes twice the first counts (RFC 7240 §2). */
export const jobWish = ({ headers, method }: IncomingMessage): JobWish | undefined => {
  const field = headers["prefer"];
  if (field === undefined || method === "HEAD" || method === "OPTIONS" || headers.upgrade !== undefined)
    return undefined;
  const text = Array.isArray(field) ? field.join(",") : field;
  if (!/respond-async/i.test(text)) return undefined;
  const found = new Map<string, string>();
  const others: string[] = [];
  for (const { name, value, whole } of preferencesOf(text)) {
    const known = name.toLowerCase();
    if (!OURS.has(known)) others.push(whole);
    else if (!found.has(known))
      found.set(known, value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value);
  }
  if (!found.has("respond-async")) return undefined;
  return { callback: found.get("callback"), others: others.join(", ") };
};

/** An absolute URL without user info or fragment, at one of these origins. @returns undefined when it is none */
export const callbackUrl = (given: string, origins: readonly string[] = []): URL | undefined => {
  const url = given.length <= 2_048 && URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || url.username !== "" || url.password !== "" || given.includes("#")) return undefined;
  return origins.includes(url.origin) ? url : undefined;
};
