/** Anything that needs a closer look; most paths have none of it. */
const SUSPICIOUS = /[^!-~]|[\\%#]|\/\/|\/\.\.?(?:[/;]|$)/;
/** What no path may have, escapes aside. `/..;x/` is a dot segment to servers with path parameters. */
const FORBIDDEN = /[^!-~]|[\\#]|\/\/|\/\.\.?(?:[/;]|$)/;
const DOT_SEGMENT = /\/\.\.?(?:[/;]|$)/;

/**
 * Why a path must not be forwarded: upstreams, proxies and the gateway itself disagree on what such a path names, and
 * so a call could leave the service it was allowed for.
 * @param path raw, as Latin-1, from `/` up to the query
 * @param passesSlash an encoded slash may stand in it, and still no dot segment, whoever decodes it
 * @returns the reason, for the client's eyes; undefined when there is none
 */
export const pathProblem = (path: string, passesSlash = false): string | undefined => {
  if (!SUSPICIOUS.test(path)) return undefined;
  if (/[^!-~]/.test(path)) return "The path has characters that must be percent-encoded.";
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return "The path has an invalid percent-encoding.";
  if ((passesSlash ? /%5c/i : /%(?:2f|5c)/i).test(path)) return "The path has an encoded slash or backslash.";
  const dotted = path.replace(/%2e/gi, ".");
  if (!FORBIDDEN.test(dotted) && !DOT_SEGMENT.test(dotted.replace(/%2f/gi, "/"))) return undefined;
  return "The path has an empty segment, a dot segment, a backslash or a fragment.";
};
