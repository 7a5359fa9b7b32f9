/** How long a token lives, seconds. */
export const TOKEN_LIFETIME_S = 3600;
/** A token may claim at most so much more than the lifetime, seconds. */
export const LIFETIME_LEEWAY_S = 60;
export const MAX_TOKEN_LENGTH = 4096;

/** Who issues and who accepts: derived from the store's id, so that changing the public URL ends no token. */
export interface TokenRealm {
  readonly issuer: string;
  readonly audience: string;
}

export const realmOf = (storeId: string): TokenRealm => ({
  issuer: `urn:aigw:${storeId}`,
  audience: `urn:aigw:${storeId}:api`,
});

/** Of what a verified token says, what a gateway judges by: it keeps one for each token in use. */
export interface TokenClaims {
  readonly kid: string;
  /** `sub`: the client's id. */
  readonly clientId: string;
  /** The credential epoch it was issued in. */
  readonly epoch: number;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** It was issued to `aigw onboard`, which tries the client's quick start. */
  readonly trial: boolean;
  /** No token's, but those of a job, which outlives the one that it came with: its client's standing is all that counts. */
  readonly job?: true;
}

/** An opened signing key that may verify. */
export interface VerifyingKey {
  readonly kid: string;
  readonly alg: "HS256";
  readonly secret: Uint8Array;
}
