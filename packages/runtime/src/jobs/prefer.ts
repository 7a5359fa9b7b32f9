import type { IncomingMessage } from "node:http";

/** What a client wishes for that wants its call to become a job. */
export interface JobWish {
  /** Who is to be told of the job's end, as it was given. */
  readonly callback: string | undefined;
  /** The other preferences, for the service; empty: none. */
  readonly others: string;
}

/** One preference of RFC 7240 §2: a token, with a token or a quoted string as its value, and parameters. */
const PREFERENCE =
  /\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[!#$%&'*+.^_`|~0-9A-Za-z-]*))?((?:\s*;[^,"]*(?:"(?:[^"\\]|\\.)*"[^,"]*)*)*)\s*(?:,|$)/gy;

/** Ours to answer, so that the service does not see them; `wait` is about an answer that would be waited for. */
const OURS = new Set(["respond-async", "callback", "wait"]);

/** Undefined when no job is wished for. Of a preference that comes twice the first counts (RFC 7240 §2). */
export const jobWish = ({ headers, method }: IncomingMessage): JobWish | undefined => {
  const field = headers["prefer"];
  if (field === undefined || method === "HEAD" || method === "OPTIONS" || headers.upgrade !== undefined)
    return undefined;
  const text = Array.isArray(field) ? field.join(",") : field;
  if (!/respond-async/i.test(text)) return undefined;
  const found = new Map<string, string>();
  const others: string[] = [];
  for (const [whole, name = "", value = ""] of text.matchAll(PREFERENCE)) {
    const known = name.toLowerCase();
    if (OURS.has(known)) {
      if (!found.has(known))
        found.set(known, value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value);
    } else others.push(whole.replace(/,$/, "").trim());
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
