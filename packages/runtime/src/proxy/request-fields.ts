import type { Call } from "./call.ts";
import {
  CONNECTION,
  DROP,
  FieldNames,
  HOP_BY_HOP,
  KEEP,
  namesFields,
  normalFieldName,
  VIA,
  withoutNamed,
} from "./field-names.ts";

const DROPPED = new Set([
  ...HOP_BY_HOP,
  "transfer-encoding",
  "host",
  "expect",
  "authorization",
  "cookie",
  "x-client-id",
  "x-request-id",
  "x-real-ip",
  "forwarded",
]);

const names = new FieldNames((normal) => {
  if (normal === "connection") return CONNECTION;
  if (normal === "via") return VIA;
  if (DROPPED.has(normal) || normal.startsWith("x-forwarded-")) return DROP;
  // Also `Content_Length`: a server that reads it as the length would frame the body differently.
  return normal === "content-length" ? DROP : KEEP;
});

/** The service's own fields, as they are put into every request. */
export class ServiceFields {
  /** Name, value, name, value … */
  readonly flat: readonly string[];
  /** What the gateway adds to `Via`; nothing when it is not to be named. */
  readonly via: "" | "1.1 aigw";
  readonly #names: ReadonlySet<string>;

  constructor(headers: Call["upstream"]["headers"], noVia = false) {
    this.via = noVia ? "" : "1.1 aigw";
    this.flat = headers.flat();
    this.#names = new Set(headers.map(([name]) => normalFieldName(name)));
  }

  replace(normal: string): boolean {
    return this.#names.size > 0 && this.#names.has(normal);
  }
}

/**
 * The fields for the upstream: first everything is removed that a client must not say, then ours are set, so that
 * `Connection: X-Client-ID` cannot remove what the gateway vouches for.
 * @param asked the length of the content that goes in place of the client's, which asks for what is taken out of the
 *   answer again: so that must not be compressed
 * @returns name, value, name, value …
 */
export const requestFields = (call: Call, service: ServiceFields, asked?: number): string[] => {
  const raw = call.incoming.rawHeaders;
  let fields: string[] = [];
  let connection = "";
  let via = "";
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    const value = raw[i + 1] ?? "";
    const field = names.of(name);
    if (field.fate === KEEP) {
      if (asked !== undefined && field.normal === "accept-encoding") continue;
      if (!service.replace(field.normal)) fields.push(name, value);
    } else if (field.fate === CONNECTION) {
      if (namesFields(value)) connection += `,${value}`;
    } else if (field.fate === VIA) {
      via += `${value}, `;
    }
  }
  if (connection !== "") {
    fields = withoutNamed(fields, connection);
    if (withoutNamed(["Via", ""], connection).length === 0) via = "";
  }
  if (call.clientName !== "") fields.push("X-Client-ID", call.clientName);
  fields.push("X-Request-ID", call.requestId);
  // Without its own, what the client has sent stays as it is, but for the comma.
  if (service.via !== "") fields.push("Via", via + service.via);
  else if (via !== "") fields.push("Via", via.slice(0, -2));
  fields.push("X-Forwarded-For", call.clientAddress, "X-Forwarded-Proto", call.scheme);
  const { "content-length": length, "transfer-encoding": coding } = call.incoming.headers;
  if (call.host !== undefined) fields.push("X-Forwarded-Host", call.host);
  fields.push("X-Forwarded-Prefix", call.upstream.prefix);
  // After what `Connection` removes: a client must not be able to change where its body ends.
  if (asked !== undefined) fields.push("Accept-Encoding", "identity", "Content-Length", String(asked));
  else if (coding !== undefined) fields.push("Transfer-Encoding", "chunked");
  else if (length !== undefined) fields.push("Content-Length", length);
  for (const part of service.flat) fields.push(part);
  return fields;
};
