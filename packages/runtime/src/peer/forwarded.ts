import type { IncomingHttpHeaders } from "node:http";
import { isAuthority } from "../guard/authority.ts";
import { addressOfNode } from "./address.ts";

/** What is said of a request by the proxies in front; undefined where they say nothing. */
export interface Said {
  readonly address: string | undefined;
  readonly scheme: "http" | "https" | undefined;
  readonly host: string | undefined;
}

const NOTHING: Said = { address: undefined, scheme: undefined, host: undefined };

/** More proxies than these stand in front of nobody. */
const MOST_HOPS = 32;

/** Whether a proxy has been there, or somebody wants it to look so. */
export const hasForwardedFields = (headers: IncomingHttpHeaders): boolean =>
  headers["x-forwarded-for"] !== undefined ||
  headers.forwarded !== undefined ||
  headers["x-forwarded-proto"] !== undefined ||
  headers["x-forwarded-host"] !== undefined ||
  headers["x-real-ip"] !== undefined;

/**
 * `X-Forwarded-For`, `-Proto` and `-Host`. Of a list of schemes or hosts the right-most counts: what is left of it may be
 * the client's own.
 * @param peer the trusted proxy that sent them
 */
export const saidByXForwarded = (headers: IncomingHttpHeaders, peer: string, isTrusted: Trusted): Said => {
  const nodes = itemsOf(headers["x-forwarded-for"]);
  return {
    address: nodes.length === 0 ? undefined : clientIn(nodes, peer, isTrusted).address,
    scheme: schemeOf(itemsOf(headers["x-forwarded-proto"]).at(-1)),
    host: hostOf(itemsOf(headers["x-forwarded-host"]).at(-1)),
  };
};

/**
 * `Forwarded` (RFC 7239). Scheme and host are those of the element that names the client.
 * @param peer the trusted proxy that sent it
 */
export const saidByForwarded = ({ forwarded }: IncomingHttpHeaders, peer: string, isTrusted: Trusted): Said => {
  if (forwarded === undefined) return NOTHING;
  const elements = parseForwarded(forwarded);
  // Somebody may have opened a quote to hide what the proxy appended.
  if (elements === undefined) return { ...NOTHING, address: peer };
  const namesNobody = elements.every((element) => element.for === undefined);
  const { address, at } = clientIn(
    elements.map((element) => element.for ?? ""),
    peer,
    isTrusted,
  );
  const { proto, host } = elements[at] ?? {};
  return { address: namesNobody ? undefined : address, scheme: schemeOf(proto), host: hostOf(host) };
};

export type Trusted = (address: string) => boolean;

/**
 * The right-most address that is not a trusted proxy's: each proxy appends whom it was called by, and what is left of
 * the first untrusted one is that one's to make up. Where a node cannot be read, it is the proxy that wrote it.
 */
const clientIn = (nodes: readonly string[], peer: string, isTrusted: Trusted): { address: string; at: number } => {
  let client = peer;
  let at = nodes.length;
  do {
    at -= 1;
    const address = addressOfNode(nodes[at] ?? "");
    if (address === undefined) break;
    client = address;
  } while (at > 0 && nodes.length - at < MOST_HOPS && isTrusted(client));
  return { address: client, at };
};

/** Of several fields too: Node has joined them, in order. Empty items do not count (RFC 9110 §5.6.1). */
const itemsOf = (list: string | string[] | undefined): readonly string[] =>
  list === undefined
    ? []
    : String(list)
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "");

/** Also those of WebSockets, which Traefik writes there. */
const schemeOf = (text = ""): Said["scheme"] => {
  const match = /^(?:http|ws)(s?)$/i.exec(text);
  if (match === null) return undefined;
  return match[1] === "" ? "http" : "https";
};

const hostOf = (text = ""): string | undefined => (isAuthority(text) ? text : undefined);

type Element = Partial<Record<"for" | "proto" | "host", string>>;

/** One parameter, or none, and what ends it. Bare IPv6 addresses, which ought to be quoted, are taken too. */
const PARAMETER = /[ \t]*(?:([\w!#$%&'*+.^`|~-]+)=(?:([\w!#$%&'*+.^`|~:[\]-]*)|"((?:[^"\\]|\\.)*)")[ \t]*)?([,;]|$)/y;

/** @returns the elements that say something; undefined when the field does not keep to its grammar */
const parseForwarded = (field: string): readonly Element[] | undefined => {
  const elements: Element[] = [];
  let element: Element = {};
  PARAMETER.lastIndex = 0;
  for (;;) {
    const match = PARAMETER.exec(field);
    if (match === null) return undefined;
    const [, name = "", token, quoted = "", end] = match;
    const key = name.toLowerCase();
    if (key === "for" || key === "proto" || key === "host") {
      // RFC 7239 §4: each parameter once an element.
      if (element[key] !== undefined) return undefined;
      element[key] = token ?? quoted.replaceAll(/\\(.)/g, "$1");
    }
    if (end === ";") continue;
    if (Object.keys(element).length > 0) elements.push(element);
    if (end !== ",") return elements;
    element = {};
  }
};
