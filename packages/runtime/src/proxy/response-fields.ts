import type { CorsAnswer } from "../cors/cors-answer.ts";
import type { Call } from "./call.ts";
import {
  ADDRESS,
  CONNECTION,
  CORS,
  DROP,
  FieldNames,
  FRAMING,
  HOP_BY_HOP,
  KEEP,
  namesFields,
  withoutNamed,
} from "./field-names.ts";
import type { ServiceAddress } from "./service-address.ts";

/** Ours to say, also when the upstream says it; `x-ratelimit-*` by prefix. */
const OWN = new Set(["x-request-id", "x-client-id", "ratelimit", "ratelimit-policy"]);
const DROPPED = new Set([...HOP_BY_HOP, ...OWN]);
const ADDRESSES = new Set(["location", "content-location", "refresh", "set-cookie"]);
/** RFC 9110 §6.5.1: fields that steer framing, routing or content must not come after the content. */
const NEVER_IN_TRAILERS = new Set([
  "content-length",
  "transfer-encoding",
  "host",
  "content-encoding",
  "content-type",
  "content-range",
  "set-cookie",
]);

const names = new FieldNames((normal) => {
  if (normal === "connection") return CONNECTION;
  if (normal === "content-length" || normal === "transfer-encoding") return FRAMING;
  if (ADDRESSES.has(normal)) return ADDRESS;
  if (normal.startsWith("access-control-")) return CORS;
  return DROPPED.has(normal) || normal.startsWith("x-ratelimit-") ? DROP : KEEP;
});

/**
 * The upstream's response fields without those of its connection and those that are the gateway's to say; where they
 * name the upstream, they name the service here.
 */
export const responseFields = (
  raw: readonly string[],
  status: number,
  address: ServiceAddress,
  call: Call,
): string[] => {
  let fields: string[] = [];
  let connection = "";
  let length: string | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    const value = raw[i + 1] ?? "";
    const { fate, normal } = names.of(name);
    if (fate === KEEP) fields.push(name, value);
    else if (fate === ADDRESS) fields.push(name, address.rewrite(normal, value, call));
    else if (fate === CORS) {
      if (keepsCors(call.cors.kept, normal)) fields.push(name, value);
    } else if (fate === CONNECTION && namesFields(value)) connection += `,${value}`;
    // RFC 9110 §8.6 forbids Content-Length in a 1xx and a 204; a client that believes it waits for content.
    else if (fate === FRAMING && normal === "content-length" && status >= 200 && status !== 204) length = value;
  }
  if (connection !== "") fields = withoutNamed(fields, connection);
  // After what `Connection` removes: the client must be able to tell where the content ends.
  if (length !== undefined) fields.push("Content-Length", length);
  return fields;
};

const keepsCors = (kept: CorsAnswer["kept"], normal: string): boolean =>
  kept === "all" || (kept === "exposed" && normal === "access-control-expose-headers");

/** @returns trailer fields as pairs, for `addTrailers` */
export const trailerFields = (raw: readonly string[]): [string, string][] => {
  const fields: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    const { fate, normal } = names.of(name);
    if ((fate === KEEP || fate === ADDRESS || fate === CORS) && !NEVER_IN_TRAILERS.has(normal))
      fields.push([name, raw[i + 1] ?? ""]);
  }
  return fields;
};
