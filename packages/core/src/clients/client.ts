/** A client: one party that may call services, with its own credentials. */
export interface Client {
  /** `c_` + 16 characters; the token's `sub`. Never used again, so a removed and re-added name is somebody else. */
  readonly id: string;
  /** The username, unique; see {@link parseClientName}. */
  readonly name: string;
  /** argon2id in PHC string format. */
  readonly passwordHash: string;
  readonly email?: string;
  readonly displayName?: string;
  readonly note?: string;
  /** Service names this client may call; absent: those of its plan, or all, also those added later. */
  readonly services?: readonly string[];
  /** Requests admitted in any rolling 60 s; absent: that of its plan, or {@link DEFAULT_LIMIT}. */
  readonly limit?: number;
  /** The name of its plan, which says what this record does not; see termsOf. */
  readonly plan?: string;
  /** In its canonical text; `none`: none, whatever the plan says. */
  readonly quota?: string;
  /** 1 to 100: its share where calls wait for a service. */
  readonly weight?: number;
  /** Temporary raises of what its quotas allow. */
  readonly grants?: readonly Grant[];
  /** How often its quotas were made to start anew within a period; absent: never. */
  readonly quotaResets?: number;
  /** Milliseconds since the epoch; from then on the client is refused. */
  readonly expiresAt?: number;
  readonly status: "active" | "revoked";
  /** Credential epoch: raised by passwd, revoke and restore; a token of another epoch is dead. */
  readonly epoch: number;
  readonly createdAt: number;
  readonly passwordChangedAt: number;
  /**
   * When the quick start was last seen to work with the present password, before its e-mail was handed out; absent when
   * that was never tried, and gone with every new password.
   */
  readonly provenAt?: number;
  readonly revokedAt?: number;
}

export interface Grant {
  readonly unit: string;
  /** Integer millionths of the unit. */
  readonly value: number;
  /** Milliseconds since the epoch; from then on it counts no more. */
  readonly until: number;
  readonly note?: string;
  /** When it was given, milliseconds since the epoch. */
  readonly at: number;
}

export const DEFAULT_LIMIT = 60;
export const LIMIT_WINDOW_MS = 60_000;

export type ClientStanding = "active" | "revoked" | "expired";

/** @param now wall clock, milliseconds since the epoch */
export const standingOf = (client: Client, now: number): ClientStanding => {
  if (client.status === "revoked") return "revoked";
  return client.expiresAt !== undefined && client.expiresAt <= now ? "expired" : "active";
};
