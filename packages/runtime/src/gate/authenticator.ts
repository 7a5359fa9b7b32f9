import { type Client, type ClientStanding, standingOf } from "@aigw/core/clients";
import { verifies } from "@aigw/core/keys";
import { type TokenClaims, TokenMemory, type TokenRealm, verifyToken } from "@aigw/core/tokens";
import type { ControlFollower } from "../follow/control-follower.ts";

export interface Admitted {
  readonly kind: "ok";
  readonly client: Client;
  readonly claims: TokenClaims;
}

/** Expected outcomes are values. `client` on a refusal: whose token it was, as far as it was genuine. */
export type Authentication =
  | Admitted
  | { readonly kind: "missing" }
  | { readonly kind: "invalid"; readonly client?: Client };

const MISSING: Authentication = { kind: "missing" };
const INVALID: Authentication = { kind: "invalid" };

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
    const key = follower.key(claims.kid);
    const now = this.#options.tokenNow();
    const alive = key !== undefined && verifies(key.record, now) && claims.expiresAt * 1000 > now;
    if (alive && client.epoch === claims.epoch && this.standing(client) === "active") {
      return { kind: "ok", client, claims };
    }
    return { kind: "invalid", client };
  }

  standing(client: Client): ClientStanding {
    return standingOf(client, this.#options.wallNow());
  }

  /** After a change: forgets tokens that will never work again. */
  forgetDead(): void {
    const { follower } = this.#options;
    this.#memory.dropWhere(
      ({ kid, clientId, epoch }) => follower.key(kid) === undefined || follower.clientById(clientId)?.epoch !== epoch,
    );
  }

  async #firstSight(field: string): Promise<Authentication> {
    const token = /^Bearer (.*)$/i.exec(field)?.[1];
    if (token === undefined) return /^Bearer\b/i.test(field) ? INVALID : MISSING;
    const { follower } = this.#options;
    const { rev } = follower;
    const verdict = await this.#verify(field, token);
    if (verdict.kind === "ok") return verdict;
    // Another instance may have issued it under a key, to a client or in an epoch that this one is about to learn of.
    await follower.refresh();
    return follower.rev === rev ? verdict : this.#verify(field, token);
  }

  async #verify(field: string, token: string): Promise<Authentication> {
    const { follower, realm } = this.#options;
    const claims = await verifyToken(token, (kid) => follower.key(kid), realm);
    if (claims === undefined) return INVALID;
    const verdict = this.judge(claims);
    if (verdict.kind === "ok") this.#memory.set(field, claims);
    return verdict;
  }
}
