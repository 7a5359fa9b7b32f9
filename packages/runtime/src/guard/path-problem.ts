/** Anything that needs a closer look; most paths have none of it. */
const SUSPICIOUS = /[^!-~]|[\\%#]|\/\/|\/\.\.?(?:[/;]|$)/;
/** What no path may have, escapes aside. `/..;x/` is a dot segment to servers with path parameters. */
const FORBIDDEN = /[^!-~]|[\\#]|\/\/|\/\.\.?(?:[/;]|$)/;

/**
 * Why a path must not be forwarded: upstreams, proxies and the gateway itself disagree on what such a path names, and
 * so a call could leave the service it was allowed for.
 * @param path raw, as Latin-1, from `/` up to the query
 * @returns the reason, for the client's eyes; undefined when there is none
 */
export const pathProblem = (path: string): string | undefined => {
  if (!SUSPICIOUS.test(path)) return undefined;
  if (/[^!-~]/.test(path)) return "The path has characters that must be percent-encoded.";
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return "The path has an invalid percent-encoding.";
  if (/%(?:2f|5c)/i.test(path)) return "The path has an encoded slash or backslash.";
  if (!FORBIDDEN.test(path.replace(/%2e/gi, "."))) return undefined;
  return "The path has an empty segment, a dot segment, a backslash or a fragment.";
};
