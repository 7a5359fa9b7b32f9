/**
 * Why a genuine token gives no access. Closed, and the codes are stable: they stand in usage events of calls that were
 * answered with 401.
 */
export type TokenEnd = "client_revoked" | "client_expired" | "token_superseded" | "key_retired" | "token_expired";

export interface TokenEndWords {
  /** A clause behind "the token was refused, because …". */
  readonly what: string;
  /** A sentence for the admin, about the client. */
  readonly remedy: string;
}

const AGAIN = "It has to log in again (POST /auth/token)";

/** docs/errors.md is checked against this table. */
export const TOKEN_ENDS: Readonly<Record<TokenEnd, TokenEndWords>> = {
  client_revoked: {
    what: "the client was revoked",
    remedy: "Nothing that it sends is let in until it is restored.",
  },
  client_expired: {
    what: "the client's access had ended",
    remedy: "Nothing that it sends is let in until it has a later date.",
  },
  token_superseded: {
    what: "the token was from before a new password, a revocation or a restoration",
    remedy: `${AGAIN}, with its present password.`,
  },
  key_retired: {
    what: "the secret that the token is signed with was rotated out",
    remedy: `${AGAIN}; its password is still good.`,
  },
  token_expired: {
    what: "the token had run out",
    remedy: `${AGAIN} before an hour is over, or when it gets 401.`,
  },
};

/** @param code as it stands in a usage event; one of a later version is not known */
export const tokenEndWords = (code: string | undefined): TokenEndWords | undefined =>
  code !== undefined && Object.hasOwn(TOKEN_ENDS, code) ? TOKEN_ENDS[code as TokenEnd] : undefined;
