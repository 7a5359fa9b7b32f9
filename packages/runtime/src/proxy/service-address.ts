import { socketOf } from "@aigw/core/services";
import type { Call, Upstream } from "./call.ts";

/** `//host/path` and `scheme://host/path`: scheme, authority, the rest. */
const ABSOLUTE = /^(?:([a-z][a-z0-9+.-]*):)?\/\/([^/?#\\]*)(.*)$/is;
const HAS_SCHEME = /^[a-z][a-z0-9+.-]*:/i;
/** What stands before the address in a Refresh, as browsers read it: `5; url=`, `5;URL='`, `0,`. */
const REFRESH = /^(\s*[0-9.]+\s*(?:[;,\s]\s*)(?:url\s*=\s*)?)(["']?)(.*)$/is;
const ATTRIBUTE = /^(\s*(domain|path)\s*=\s*)(.*)$/is;

/** What the service was asked, and under which name of the gateway. */
type Asked = Pick<Call, "rest" | "scheme" | "host">;

/** Where the upstream is, and what it is told that it is called. */
type ServedAt = Pick<Upstream, "origin" | "basePath" | "prefix"> & { readonly authority?: string | undefined };

/** Whose address a reference has. */
type Owner = "upstream" | "gateway" | "other";

/**
 * Says in a response's fields `/api/<service>/…` where the upstream said its own address, so that a client neither
 * leaves the gateway nor learns where the service is. Always with a path alone, which is right under every name that
 * the gateway has and behind every proxy. See docs/decisions/022-redirects.md.
 */
export class ServiceAddress {
  readonly #protocol: string;
  /** As the Host field names it. */
  readonly #host: string;
  /** What the upstream gets as Host in place of it. */
  readonly #told: string | undefined;
  readonly #hostname: string;
  readonly #base: string;
  readonly #prefix: string;

  constructor({ origin, basePath, prefix, authority }: ServedAt) {
    // Behind a socket it can only call itself by the Host that it gets.
    const { protocol, host, hostname } = new URL(socketOf(origin) === undefined ? origin : "http://localhost");
    this.#told = authority;
    this.#protocol = protocol;
    this.#host = host;
    this.#hostname = hostname;
    this.#base = basePath;
    this.#prefix = prefix;
  }

  /**
   * @param name of the field, lower-case
   * @param value as Latin-1; bytes that are not part of an address come out as they went in
   */
  rewrite(name: string, value: string, asked: Asked): string {
    if (name === "set-cookie") return this.#cookie(value, asked);
    return name === "refresh" ? this.#refresh(value, asked) : this.#reference(value, asked);
  }

  #reference(reference: string, asked: Asked): string {
    const absolute = ABSOLUTE.exec(reference);
    if (absolute !== null) return this.#absolute(absolute, asked) ?? reference;
    if (reference.startsWith("/")) return this.#path(reference, asked) ?? reference;
    // `/api/ocr` is `/` to the upstream: what is relative to it would land beside the service.
    const isBeside = this.#base === "" && !asked.rest.startsWith("/") && /^[^?#]/.test(reference);
    if (!isBeside || HAS_SCHEME.test(reference)) return reference;
    return `${this.#prefix}/${reference.replace(/^(?:\.{1,2}(?:\/|$))+/, "")}`;
  }

  #absolute([, scheme, authority = "", rest = ""]: RegExpExecArray, asked: Asked): string | undefined {
    const owner = this.#ownerOf(scheme?.toLowerCase(), authority.slice(authority.lastIndexOf("@") + 1), asked);
    if (owner === "other") return undefined;
    const path = rest.startsWith("/") ? rest : `/${rest}`;
    const ours = this.#path(path, asked);
    if (ours !== undefined || owner === "gateway") return ours;
    // Beside the base path, so nowhere at the gateway: its 404 then, and not the upstream's name. `//x` would be a host.
    return /^\/[/\\]/.test(path) ? `/.${path}` : path;
  }

  /** An application may build addresses from the Host that it got, or from what X-Forwarded-Host and -Proto told it. */
  #ownerOf(scheme: string | undefined, authority: string, { scheme: told, host: toldHost = "" }: Asked): Owner {
    const protocol = scheme === undefined ? this.#protocol : `${scheme}:`;
    if (protocol !== this.#protocol && protocol !== `${told}:`) return "other";
    const host = hostOf(protocol, authority);
    if (host === undefined) return "other";
    if (host === hostOf(protocol, this.#host)) return "upstream";
    if (this.#told !== undefined && host === hostOf(protocol, this.#told)) return "upstream";
    return host === hostOf(protocol, toldHost) ? "gateway" : "other";
  }

  /**
   * @param path what starts with `/`, with its query and fragment
   * @returns where that is at the gateway; undefined for what is not below the base path
   */
  #path(path: string, asked: Asked): string | undefined {
    const behind = this.#behindPrefix(path, asked);
    // An application that puts the prefix it was told in front of its paths keeps its base path behind it.
    const rest = behind === undefined ? below(path, this.#base) : (below(behind, this.#base) ?? behind);
    return rest === undefined ? undefined : this.#prefix + rest;
  }

  /**
   * What follows `/api/<service>`, when the application has honoured X-Forwarded-Prefix. One that was asked for such a
   * path itself has it as its own: there the prefix counts when it is there twice.
   */
  #behindPrefix(path: string, { rest }: Asked): string | undefined {
    const behind = below(path, this.#prefix);
    if (behind === undefined || below(this.#base + rest, this.#prefix) === undefined) return behind;
    return below(behind, this.#prefix) === undefined ? undefined : behind;
  }

  #refresh(value: string, asked: Asked): string {
    const [, head = "", quote = "", tail = ""] = REFRESH.exec(value) ?? [];
    if (tail === "") return value;
    const end = quote === "" ? -1 : tail.indexOf(quote);
    const address = end < 0 ? tail : tail.slice(0, end);
    return head + quote + this.#reference(address, asked) + tail.slice(address.length);
  }

  #cookie(value: string, asked: Asked): string {
    // Browsers take it with the path `/` only.
    if (/^\s*__Host-/i.test(value)) return value;
    const [pair = "", ...attributes] = value.split(";");
    return pair + attributes.map((attribute) => this.#attribute(attribute, asked)).join("");
  }

  #attribute(attribute: string, asked: Asked): string {
    const [, head = "", name, rest = ""] = ATTRIBUTE.exec(attribute) ?? [];
    const value = rest.trimEnd();
    if (name === undefined) return `;${attribute}`;
    if (name.toLowerCase() === "path") return `;${head}${this.#cookiePath(value, asked)}`;
    // Without Domain it is the gateway's own host that gets it back.
    return value.replace(/^\./, "").toLowerCase() === this.#hostname ? "" : `;${attribute}`;
  }

  /** A cookie of the whole upstream is one of the whole service. */
  #cookiePath(path: string, asked: Asked): string {
    if (!path.startsWith("/")) return path;
    const covers = below(this.#base, path.replace(/\/$/, "")) !== undefined;
    const ours = covers ? this.#prefix : (this.#path(path, asked) ?? path);
    return ours === `${this.#prefix}/` ? this.#prefix : ours;
  }
}

/** What follows a base path, which ends at a segment's end; undefined for a path that is elsewhere. */
const below = (path: string, base: string): string | undefined =>
  path.startsWith(base) && /^(?:[/?#]|$)/.test(path.slice(base.length)) ? path.slice(base.length) : undefined;

/** In one form: lower-case, without the scheme's own port. */
const hostOf = (protocol: string, authority: string): string | undefined =>
  URL.parse(`${protocol}//${authority}`)?.host;
