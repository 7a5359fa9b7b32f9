import { CONNECTION, DROP, FieldNames, FRAMING, HOP_BY_HOP, KEEP, namesFields, withoutNamed } from "./field-names.ts";

/** Ours to say, also when the upstream says it; `x-ratelimit-*` by prefix. */
const OWN = new Set(["x-request-id", "x-client-id", "ratelimit", "ratelimit-policy"]);
const DROPPED = new Set([...HOP_BY_HOP, ...OWN]);
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
  return DROPPED.has(normal) || normal.startsWith("x-ratelimit-") ? DROP : KEEP;
});

export interface ResponseHead {
  /** Name, value, name, value … */
  fields: string[];
  /** −1 when the upstream did not say. */
  readonly contentLength: number;
  /** False when the content has a transfer coding that would be lost on the way. */
  readonly valid: boolean;
}

type Raw = readonly (Buffer | string)[];

/** Fields travel as Latin-1, so that bytes above 127 come out as they went in. */
const text = (part: Buffer | string | undefined): string =>
  typeof part === "string" ? part : (part?.toString("latin1") ?? "");

/** The upstream's response fields without those of its connection and those that are the gateway's to say. */
export const responseHead = (raw: Raw, status: number): ResponseHead => {
  let fields: string[] = [];
  let connection = "";
  let contentLength = -1;
  let valid = true;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = text(raw[i]);
    const { fate, normal } = names.of(name);
    if (fate === DROP) continue;
    const value = text(raw[i + 1]);
    if (fate === KEEP) {
      fields.push(name, value);
    } else if (fate === CONNECTION) {
      if (namesFields(value)) connection += `,${value}`;
    } else if (normal === "transfer-encoding") {
      // `gzip, chunked` would reach the client as gzip bytes that nothing announces.
      if (value.toLowerCase() !== "chunked") valid = false;
    } else if (status !== 204) {
      // RFC 9110 §8.6 forbids Content-Length in a 204; a client that believes it waits for content.
      contentLength = Number(value);
      fields.push(name, value);
    }
  }
  if (connection !== "") fields = withoutNamed(fields, connection);
  return { fields, contentLength, valid };
};

/** @returns trailer fields as pairs, for `addTrailers` */
export const trailerFields = (raw: Raw): [string, string][] => {
  const fields: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = text(raw[i]);
    const field = names.of(name);
    if (field.fate === KEEP && !NEVER_IN_TRAILERS.has(field.normal)) fields.push([name, text(raw[i + 1])]);
  }
  return fields;
};
