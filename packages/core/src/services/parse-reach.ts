import { createPrivateKey, X509Certificate } from "node:crypto";
import { AigwError } from "../errors.ts";
import { parseUpstreamUrl } from "./parse-service.ts";
import type { HealthCheck } from "./reach.ts";

const invalid = (what: string, value: string, allowed: string): AigwError =>
  new AigwError("invalid_value", `${what} '${value}' is not valid: ${allowed}.`);

/** `http://gpu2:9000=2` → the URL, and a weight of 1 to 100. */
export const parseTargetWeight = (value: string): { readonly url: string; readonly weight: number } => {
  const at = value.lastIndexOf("=");
  const weight = Number(value.slice(at + 1));
  if (at > 0 && /^[0-9]{1,3}$/.test(value.slice(at + 1)) && weight >= 1 && weight <= 100) {
    return { url: parseUpstreamUrl(value.slice(0, at)), weight };
  }
  throw invalid("weight", value, "use a target's URL, '=' and a whole number from 1 to 100");
};

/** A path and query of 1 to 512 characters, from the root of the target. */
export const parseHealthPath = (value: string): string => {
  if (value.length <= 512 && /^\/[!-~]*$/.test(value) && !value.includes("#")) return value;
  throw invalid("health path", value, "use a path such as /health");
};

/** `2xx`, `204`, `200-399`, or several of them with commas. */
export const parseHealthStatus = (value: string): string => {
  const ranges = rangesOf(value);
  if (ranges?.every(([from, to]) => from <= to)) return value;
  throw invalid("health status", value, "use 2xx, 204, 200-399, or several of them with commas");
};

/** @param spec in the form of {@link parseHealthStatus} */
export const isHealthyStatus = (spec: HealthCheck["status"], status: number): boolean =>
  rangesOf(spec)?.some(([from, to]) => status >= from && status <= to) ?? false;

const rangesOf = (value: string): readonly (readonly [number, number])[] | undefined => {
  const parts = value.split(",").map((part) => /^([2-5])xx$|^([2-5]\d\d)(?:-([2-5]\d\d))?$/.exec(part));
  const ranges = parts.flatMap((match): readonly (readonly [number, number])[] => {
    if (match === null) return [];
    const [, kind, from, to = from] = match;
    return [kind === undefined ? [Number(from), Number(to)] : [Number(kind) * 100, Number(kind) * 100 + 99]];
  });
  return ranges.length === parts.length ? ranges : undefined;
};

/** `2`, up to 10,000, or `none`. @returns undefined for `none` */
export const parseConcurrency = (value: string): number | undefined => {
  if (value === "none") return undefined;
  if (/^[1-9][0-9]{0,4}$/.test(value) && Number(value) <= 10_000) return Number(value);
  throw invalid("concurrency", value, "use a whole number from 1 to 10000, or none");
};

/** How many calls may wait: `0` to `100000`. */
export const parseQueueLength = (value: string): number => {
  if (/^(?:0|[1-9][0-9]{0,5})$/.test(value) && Number(value) <= 100_000) return Number(value);
  throw invalid("queue", value, "use a whole number from 0 to 100000");
};

/** One line of up to 300 characters, for clients. */
export const parseDisabledMessage = (value: string): string => {
  const text = value.trim();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (text.length <= 300 && !/[\u0000-\u001f\u007f\u2028\u2029]/.test(text)) return text;
  throw new AigwError("invalid_value", "the message is not valid: use up to 300 characters on one line.");
};

/** `4k` to `256k`. @returns bytes */
export const parseMaxHead = (value: string): number => {
  const bytes = Number(/^([0-9]{1,3})k$/i.exec(value)?.[1]) * 1024;
  if (bytes >= 4_096 && bytes <= 262_144) return bytes;
  throw invalid("size of a head", value, "use 4k to 256k");
};

const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;

/** A host name, as a certificate holds it. */
export const parseServerName = (value: string): string => {
  if (HOST_NAME.test(value) && !/^[0-9.]+$/.test(value)) return value.toLowerCase();
  throw invalid("server name", value, "use a host name such as ocr.internal");
};

/** `target`, `client`, or a host name with or without a port. @returns undefined for `target` */
export const parseHostHeader = (value: string): string | undefined => {
  if (value === "target") return undefined;
  const [, name = "", port] = /^(.*?)(?::([0-9]{1,5}))?$/.exec(value) ?? [];
  if (value === "client" || (HOST_NAME.test(name) && Number(port ?? 1) <= 65_535)) return value;
  throw invalid("Host", value, "use 'target', 'client', or a name such as ocr.internal or ocr.internal:8443");
};

const MAX_PEM = 64 * 1024;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** One or more certificates in PEM, 64 KiB at most. @returns them alone, whatever stood around them */
export const parseCertificates = (what: string, text: string): string => {
  const found = text.length <= MAX_PEM ? (text.match(CERTIFICATE) ?? []) : [];
  try {
    if (found.length > 0) return found.map((pem) => new X509Certificate(pem).toString()).join("");
  } catch {
    // Said below, without what OpenSSL calls it.
  }
  throw new AigwError("invalid_value", `${what} is not valid: use certificates in PEM, 64 KiB at most.`);
};

/**
 * A private key in PEM, without a passphrase, that belongs to the first of the certificates.
 * @throws AigwError whose message does not repeat it
 */
export const parseClientKey = (text: string, certificates: string): string => {
  try {
    const key = createPrivateKey(text);
    if (new X509Certificate(certificates).checkPrivateKey(key))
      return String(key.export({ type: "pkcs8", format: "pem" }));
  } catch {
    throw new AigwError(
      "invalid_value",
      "the client's key is not valid: use a private key in PEM, without a passphrase.",
    );
  }
  throw new AigwError("invalid_value", "the client's key is not valid: it is not the one of the client's certificate.");
};
