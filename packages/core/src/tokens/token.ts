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

/** What a verified token says. */
export interface TokenClaims {
  readonly kid: string;
  /** `sub`: the client's id. */
  readonly clientId: string;
  /** `client_id`: the client's name when the token was issued. */
  readonly clientName: string;
  /** The credential epoch it was issued in. */
  readonly epoch: number;
  /** Seconds since the epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly tokenId: string;
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
