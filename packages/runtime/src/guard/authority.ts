import { isIPv6 } from "node:net";

const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._~-]{1,253}))(?::([0-9]{1,5}))?$/;

/** Hosts a server is called by are few; the bound is against those who make them up. */
const MAX_REMEMBERED = 256;
const valid = new Set<string>();

/**
 * Whether this is `uri-host [":" port]` (RFC 9110 §7.2) that the URL parser accepts too: what is built from it later
 * must not fail. Names with the sub-delims and escapes that RFC 3986 also allows are refused, nobody's host has them.
 */
export const isAuthority = (value: string): boolean => {
  if (valid.has(value)) return true;
  const match = AUTHORITY.exec(value);
  if (match === null || (match[1] !== undefined && !isIPv6(match[1]))) return false;
  if (!URL.canParse(`http://${value}/`)) return false;
  if (valid.size < MAX_REMEMBERED) valid.add(value);
  return true;
};
