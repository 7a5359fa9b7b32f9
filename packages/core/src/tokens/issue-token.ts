import { randomUUID } from "node:crypto";
import { SignJWT } from "jose/jwt/sign";
import type { Client } from "../clients/client.ts";
import { TOKEN_LIFETIME_S, type TokenRealm, type VerifyingKey } from "./token.ts";

export interface IssuedToken {
  readonly token: string;
  /** Seconds since the epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/**
 * Signs an access token for a client (RFC 9068 header and claims, plus `epoch`, and `trial` where it is one's).
 * @param nowMs milliseconds since the epoch
 */
export const issueToken = async (
  client: Client,
  key: VerifyingKey,
  realm: TokenRealm,
  nowMs: number,
  trial = false,
): Promise<IssuedToken> => {
  const issuedAt = Math.floor(nowMs / 1000);
  const expiresAt = issuedAt + TOKEN_LIFETIME_S;
  const token = await new SignJWT({ client_id: client.name, epoch: client.epoch, ...(trial && { trial }) })
    .setProtectedHeader({ alg: key.alg, typ: "at+jwt", kid: key.kid })
    .setIssuer(realm.issuer)
    .setAudience(realm.audience)
    .setSubject(client.id)
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
    .setJti(randomUUID())
    .sign(key.secret);
  return { token, issuedAt, expiresAt };
};
