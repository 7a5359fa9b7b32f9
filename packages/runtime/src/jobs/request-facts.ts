import type { ApiCall } from "../gate/api-call.ts";

/** What is sealed of a request beside its content: all that its call needs again. */
export interface RequestFacts {
  /** The request target, byte for byte. */
  readonly target: string;
  /** Flat: name, value, name, value … */
  readonly fields: readonly string[];
  readonly clientAddress: string;
  readonly scheme: "http" | "https";
  readonly host?: string;
}

/** And of an answer. */
export interface AnswerFacts {
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly string[];
}

/** Credentials are nobody's to keep; the rest is the connection's, or says how the content comes. */
const LEFT_OUT = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "prefer",
  "expect",
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "content-length",
]);

/** @param others preferences that are not ours to answer */
export const requestFacts = (call: ApiCall, others: string): RequestFacts => {
  const { incoming, clientAddress, scheme, host } = call;
  const raw = incoming.rawHeaders;
  const named = new Set((incoming.headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase()));
  const fields: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    const normal = name.toLowerCase();
    // Whatever `Connection` names was for this connection (RFC 9110 §7.6.1); a Host it cannot take away.
    if (LEFT_OUT.has(normal) || (named.has(normal) && normal !== "host")) continue;
    fields.push(name, raw[i + 1] ?? "");
  }
  if (others !== "") fields.push("Prefer", others);
  return { target: incoming.url ?? "/", fields, clientAddress, scheme, ...(host !== undefined && { host }) };
};

/** The gateway's own, which each answer about the job has anew; and the connection's. */
const NOT_KEPT = new Set([
  "x-request-id",
  "x-client-id",
  "ratelimit",
  "ratelimit-policy",
  "connection",
  "keep-alive",
  "transfer-encoding",
  "content-length",
]);

/** @param raw of the answer as the gateway would have given it */
export const answerFields = (raw: readonly string[]): readonly string[] => {
  const fields: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    const normal = name.toLowerCase();
    if (!NOT_KEPT.has(normal) && !normal.startsWith("x-ratelimit-")) fields.push(name, raw[i + 1] ?? "");
  }
  return fields;
};
