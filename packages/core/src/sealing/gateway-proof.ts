import { randomBytes, timingSafeEqual } from "node:crypto";
import type { Sealer } from "./sealer.ts";

/**
 * How a gateway shows that it holds a store's master key, without showing anything else: an HMAC of a challenge, of a
 * number of its own, and of the public URL that it goes by. See docs/decisions/029-who-gets-a-password.md.
 */
export interface GatewayProof {
  /** The gateway's part, so that nobody has a text of their own choice authenticated. 22 characters of base64url. */
  readonly nonce: string;
  /** Where the gateway says that clients reach it, without a trailing slash. */
  readonly publicUrl: string;
  /** 43 characters of base64url. */
  readonly proof: string;
}

const CHALLENGE_BYTES = 32;
const NONCE_BYTES = 16;

/** 43 characters of base64url; for one question only. */
export const newChallenge = (): string => randomBytes(CHALLENGE_BYTES).toString("base64url");

export const isChallenge = (text: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(text);

/** @param challenge see {@link isChallenge} */
export const proveGateway = (sealer: Sealer, storeId: string, challenge: string, publicUrl: string): GatewayProof => {
  const nonce = randomBytes(NONCE_BYTES).toString("base64url");
  return { nonce, publicUrl, proof: macOf(sealer, storeId, challenge, { nonce, publicUrl }).toString("base64url") };
};

/** Whether the answer to `challenge` comes from whoever holds this store's master key. */
export const provesGateway = (sealer: Sealer, storeId: string, challenge: string, answer: GatewayProof): boolean => {
  const expected = macOf(sealer, storeId, challenge, answer);
  const given = Buffer.from(answer.proof, "base64url");
  return given.length === expected.length && timingSafeEqual(given, expected);
};

/** Neither of the first two parts has a line break in it: no two lists of parts make the same text. */
const macOf = (
  sealer: Sealer,
  storeId: string,
  challenge: string,
  { nonce, publicUrl }: Pick<GatewayProof, "nonce" | "publicUrl">,
): Buffer => Buffer.from(sealer.mac("gateway-proof", storeId, `${challenge}\n${nonce}\n${publicUrl}`));
