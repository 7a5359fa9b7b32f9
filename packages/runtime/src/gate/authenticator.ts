import type { TokenEnd } from "@aigw/core";
import { type Client, type ClientStanding, standingOf } from "@aigw/core/clients";
import { verifies } from "@aigw/core/keys";
import { type TokenClaims, TokenMemory, type TokenRealm, verifyToken } from "@aigw/core/tokens";
import type { ControlFollower } from "../follow/control-follower.ts";

export interface Admitted {
  readonly kind: "ok";
  readonly client: Client;
  readonly claims: TokenClaims;
}

/** A genuine token of a client that there is, which gives no access (any more). */
export interface Ended {
  readonly kind: "ended";
  readonly client: Client;
  readonly claims: TokenClaims;
  readonly why: TokenEnd;
}

/** Expected outcomes are values. */
export type Authentication =
  | Admitted
  | Ended
  | { readonly kind: "missing" }
  | { readonly kind: "invalid" }
  /** It is none that this instance knows of, and the store does not say what else there is by now. */
  | { readonly kind: "unsure" };

const MISSING: Authentication = { kind: "missing" };
const INVALID: Authentication = { kind: "invalid" };
const UNSURE: Authentication = { kind: "unsure" };

export interface AuthenticatorOptions {
  readonly follower: ControlFollower;
  readonly realm: TokenRealm;
  /** The store's time, which follows no jump of the clock: for tokens and for the grace of a rotation. */
  readonly tokenNow: () => number;
  /** Milliseconds since the epoch: for the dates an admin set. */
  readonly wallNow: () => number;
}

/** Bearer tokens (RFC 6750 §2.1) against the live control state. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  /** Keyed by the whole field value, so that the common case does not even cut the token out of it. */
  readonly #memory = new TokenMemory();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** @param field the Authorization field's value. Answers at once for a token that was seen before. */
  authenticate(field: string | undefined): Authentication | Promise<Authentication> {
    if (field === undefined) return MISSING;
    const known = this.#memory.get(field);
    return known === undefined ? this.#firstSight(field) : this.judge(known);
  }

  /** Whether a genuine token gives access at this moment: key, expiry, client, credential epoch. */
  judge(claims: TokenClaims): Authentication {
    const { follower } = this.#options;
    const client = follower.clientById(claims.clientId);
    if (client === undefined) return INVALID;
    const why = this.#endOf(claims, client);
    return why === undefined ? { kind: "ok", client, claims } : { kind: "ended", client, claims, why };
  }

  /** What an admin did comes before what time did. */
  #endOf(claims: TokenClaims, client: Client): TokenEnd | undefined {
    const standing = this.standing(client);
    if (standing !== "active") return standing === "revoked" ? "client_revoked" : "client_expired";
    if (claims.job === true) return undefined;
    if (client.epoch !== claims.epoch) return "token_superseded";
    const key = this.#options.follower.key(claims.kid);
    const now = this.#options.tokenNow();
    if (key === undefined || !verifies(key.record, now)) return "key_retired";
    return claims.expiresAt * 1000 > now ? undefined : "token_expired";
  }

  standing(client: Client): ClientStanding {
    return standingOf(client, this.#options.wallNow());
  }

  /** How many tokens are remembered. */
  get remembered(): number {
    return this.#memory.size;
  }

  /**
   * Forgets tokens that will never work again: after a change, and once a minute, as time ends tokens and keys that nobody
   * brings again. A millisecond for 10,000.
   */
  forgetDead(): void {
    const { follower } = this.#options;
    const now = this.#options.tokenNow();
    this.#memory.dropWhere(({ kid, clientId, epoch, expiresAt }) => {
      const key = follower.key(kid);
      if (key === undefined || !verifies(key.record, now) || expiresAt * 1000 <= now) return true;
      return follower.epochOf(clientId) !== epoch;
    });
  }

  async #firstSight(field: string): Promise<Authentication> {
    const token = /^Bearer (.*)$/i.exec(field)?.[1];
    if (token === undefined) return /^Bearer\b/i.test(field) ? INVALID : MISSING;
    const { follower } = this.#options;
    const { rev } = follower;
    const verdict = await this.#verify(field, token);
    if (verdict.kind === "ok") return verdict;
    // Another instance may have issued it under a key, to a client or in an epoch that this one is about to learn of.
    const isSure = await follower.refresh();
    const latest = follower.rev === rev ? verdict : await this.#verify(field, token);
    // Of a client, a key or a password that came while the store was away.
    const mayBeNew =
      latest.kind === "invalid" || (latest.kind === "ended" && latest.claims.epoch > latest.client.epoch);
    return mayBeNew && !isSure ? UNSURE : latest;
  }

  async #verify(field: string, token: string): Promise<Authentication> {
    const { follower, realm } = this.#options;
    const claims = await verifyToken(token, (kid) => follower.key(kid), realm);
    if (claims === undefined) return INVALID;
    const verdict = this.judge(claims);
    // A copy: the field may be a slice of its whole request's head, which it would keep.
    if (verdict.kind === "ok") this.#memory.set(Buffer.from(field, "latin1").toString("latin1"), claims);
    return verdict;
  }
}
