/**
 * A JWT signing secret in the store.
 * - `published`: verifies, does not sign yet (the first half of a rotation with grace)
 * - `active`: signs and verifies; there is exactly one
 * - `retiring`: verifies until `verifyUntil`
 * - `retired`: neither; its secret is dropped
 */
export interface SigningKey {
  /** `k_` + 12 characters, the token's `kid`. */
  readonly kid: string;
  readonly alg: "HS256";
  readonly status: "published" | "active" | "retiring" | "retired";
  /** 32 random bytes, sealed for the purpose `signing-key`; absent once retired. */
  readonly sealedSecret?: string;
  readonly createdAt: number;
  readonly activatedAt?: number;
  /** Only on `retiring`: milliseconds since the epoch. */
  readonly verifyUntil?: number;
  readonly retiredAt?: number;
}

/** All signing keys, oldest first: the subject of every `secret.*` change. */
export type Keyring = readonly SigningKey[];

/** Retired keys are kept for `secret list`; older ones are forgotten. */
export const RETIRED_KEYS_KEPT = 20;

export const activeKey = (keyring: Keyring): SigningKey | undefined => keyring.find((key) => key.status === "active");

/** @param now milliseconds since the epoch */
export const verifies = (key: SigningKey, now: number): boolean =>
  key.status === "active" ||
  key.status === "published" ||
  (key.status === "retiring" && key.verifyUntil !== undefined && now < key.verifyUntil);
