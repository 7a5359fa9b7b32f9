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
  /** Only on `retiring`: by the store's steady time, as tokens are judged; see {@link onWallClock}. */
  readonly verifyUntil?: number;
  readonly retiredAt?: number;
}

/** All signing keys, oldest first: the subject of every `secret.*` change. */
export type Keyring = readonly SigningKey[];

/** Retired keys are kept for `secret list`; older ones are forgotten. */
export const RETIRED_KEYS_KEPT = 20;

export const activeKey = (keyring: Keyring): SigningKey | undefined => keyring.find((key) => key.status === "active");

/** @param now steady milliseconds of the store, as tokens are judged by */
export const verifies = (key: SigningKey, now: number): boolean =>
  key.status === "active" ||
  key.status === "published" ||
  (key.status === "retiring" && key.verifyUntil !== undefined && now < key.verifyUntil);

/** One moment by both clocks, milliseconds since the epoch: by the wall clock it is shown, by the store's time judged. */
export interface KeyTime {
  readonly wall: number;
  readonly steady: number;
}

/** With `verifyUntil` as the wall clock will show it then, unless somebody sets it. */
export const onWallClock = (keyring: Keyring, { wall, steady }: KeyTime): Keyring =>
  keyring.map((key) =>
    key.verifyUntil === undefined ? key : { ...key, verifyUntil: Math.round(key.verifyUntil + wall - steady) },
  );
