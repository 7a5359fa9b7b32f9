import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { compactVerify } from "jose/jws/compact/verify";
import {
  LIFETIME_LEEWAY_S,
  MAX_TOKEN_LENGTH,
  TOKEN_LIFETIME_S,
  type TokenClaims,
  type TokenRealm,
  type VerifyingKey,
} from "./token.ts";

/** Header fields that would make a verifier fetch or trust a key of the token's choosing, or change how it is read. */
const FORBIDDEN_HEADERS = ["crit", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "b64", "zip"];

/**
 * Verifies signature and form. Expiry is not judged here: the caller compares `expiresAt` with its clock on every
 * request, also for a token that was verified before.
 * @param keyFor the key record by `kid`, from memory
 * @returns undefined for anything but a genuine token of this realm
 */
export const verifyToken = async (
  token: string,
  keyFor: (kid: string) => VerifyingKey | undefined,
  realm: TokenRealm,
): Promise<TokenClaims | undefined> => {
  const parts = splitCanonical(token);
  if (parts === undefined) return undefined;
  const header = parseObject(parts[0]);
  if (header === undefined || FORBIDDEN_HEADERS.some((name) => Object.hasOwn(header, name))) return undefined;
  if (header["typ"] !== "at+jwt" || typeof header["kid"] !== "string") return undefined;
  const key = keyFor(header["kid"]);
  if (key === undefined || header["alg"] !== key.alg) return undefined;
  if (!isSignedBy(key, token)) return undefined;
  try {
    await compactVerify(token, key.secret, { algorithms: [key.alg] });
  } catch {
    return undefined;
  }
  const payload = parseObject(parts[1]);
  return payload === undefined ? undefined : readClaims(payload, key.kid, realm);
};

/**
 * Whether the signature fits, without jose, which has the last word on what is genuine: it asks the thread pool, and so a
 * flood of forged tokens cost four times as much and stood in line with the passwords of those who log in.
 */
const isSignedBy = (key: VerifyingKey, token: string): boolean => {
  const dot = token.lastIndexOf(".");
  const signature = Buffer.from(token.slice(dot + 1), "base64url");
  const right = createHmac("sha256", prepared(key)).update(token.slice(0, dot)).digest();
  return signature.length === right.length && timingSafeEqual(signature, right);
};

/** Made once a key: from its bytes it would be made for each token, which takes four times as long as the rest. */
const PREPARED = new WeakMap<VerifyingKey, KeyObject>();
const prepared = (key: VerifyingKey): KeyObject => {
  const known = PREPARED.get(key);
  if (known !== undefined) return known;
  const made = createSecretKey(key.secret);
  PREPARED.set(key, made);
  return made;
};

/**
 * jose accepts stray whitespace and non-canonical base64url, so that one token has many spellings; the memory of
 * verified tokens and the size bound need exactly one.
 */
const splitCanonical = (token: string): readonly [string, string, string] | undefined => {
  if (token.length > MAX_TOKEN_LENGTH) return undefined;
  const [header, payload, signature, ...more] = token.split(".");
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) return undefined;
  return [header, payload, signature].every(isCanonicalBase64url) ? [header, payload, signature] : undefined;
};

/** RFC 4648 §3.5: of the last character only those whose surplus bits are zero. */
const CANONICAL = /^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{4}|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048]|[A-Za-z0-9_-][AQgw])$/;

const isCanonicalBase64url = (part: string): boolean => CANONICAL.test(part);

const UTF8 = new TextDecoder("utf-8", { fatal: true });

const parseObject = (part: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(UTF8.decode(Buffer.from(part, "base64url")));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
};

const readClaims = (payload: Record<string, unknown>, kid: string, realm: TokenRealm): TokenClaims | undefined => {
  const { iss, aud, sub, client_id: clientName, iat, exp, jti, epoch, trial } = payload;
  if (iss !== realm.issuer || aud !== realm.audience) return undefined;
  if (typeof sub !== "string" || typeof clientName !== "string" || typeof jti !== "string") return undefined;
  if (!isTime(iat) || !isTime(exp) || !Number.isSafeInteger(epoch)) return undefined;
  if (exp <= iat || exp - iat > TOKEN_LIFETIME_S + LIFETIME_LEEWAY_S) return undefined;
  return { kid, clientId: sub, epoch: epoch as number, expiresAt: exp, trial: trial === true };
};

const isTime = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0;
