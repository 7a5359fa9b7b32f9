import type { Client, TokenIssue } from "@aigw/core";
import { hashPassword, needsRehash, passwordForms, rightForm } from "@aigw/core/passwords";
import { randomId } from "@aigw/core/random-id";
import { issueToken, type TokenRealm } from "@aigw/core/tokens";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { Authenticator } from "../gate/authenticator.ts";
import type { Credentials } from "./credentials.ts";
import type { GuessLimit } from "./guess-limit.ts";
import type { HashSlots } from "./hash-slots.ts";

export interface LoginDeps {
  readonly follower: ControlFollower;
  readonly authenticator: Authenticator;
  readonly guessLimit: GuessLimit;
  readonly hashSlots: HashSlots;
  readonly realm: TokenRealm;
  readonly tokenNow: () => number;
  readonly noteToken: (issue: TokenIssue) => void;
  readonly isTrial: (username: string, mark: string) => boolean;
  /** Its password was right, but is stored under weaker parameters than today's, or not of its NFC. */
  readonly onWeakHash: (client: Client, password: string) => void;
}

export type LoginResult =
  | { readonly kind: "token"; readonly token: string; readonly expiresInS: number }
  | { readonly kind: "denied" }
  | { readonly kind: "slow_down"; readonly waitMs: number }
  | { readonly kind: "unavailable" };

/** Exchanges a client's credentials for a token. */
export class Login {
  readonly #deps: LoginDeps;
  /** What an unknown name's password is checked against, so that it costs the same work. */
  readonly #decoyHash: Promise<string> = hashPassword(randomId("", 32));

  constructor(deps: LoginDeps) {
    this.#deps = deps;
  }

  /**
   * @param source who tries, as `Callers.sourceOf` says it
   * @param mark what says that it is a trial, as far as it came with something: see `trialMark`
   */
  attempt(credentials: Credentials, source: string, mark?: string): Promise<LoginResult> {
    const { username } = credentials;
    const trial = mark !== undefined && this.#deps.isTrial(username, mark);
    return this.#deps.guessLimit.inTurn({ username, source }, () => this.#attempt(credentials, source, trial));
  }

  async #attempt({ username, password, asSent }: Credentials, source: string, trial: boolean): Promise<LoginResult> {
    const { follower, guessLimit, hashSlots } = this.#deps;
    await follower.refresh();
    if (!(await follower.isFresh())) return { kind: "unavailable" };
    const attempt = await guessLimit.attempt({ username, source });
    if ("waitMs" in attempt) return { kind: "slow_down", waitMs: attempt.waitMs };
    const before = follower.clientByName(username);
    const hash = before?.passwordHash ?? (await this.#decoyHash);
    const all = before === undefined || this.#deps.authenticator.standing(before) !== "active";
    const right = await hashSlots.run(() => rightForm(hash, passwordForms(password, asSent), all));
    if (right === undefined) {
      await attempt.forgive();
      return { kind: "unavailable" };
    }
    // Read again: it may have been revoked or given a new password while the hash was computed.
    const client = follower.clientByName(username);
    const same = client !== undefined && client.id === before?.id && client.epoch === before.epoch;
    if (right === false || !same || this.#deps.authenticator.standing(client) !== "active") return { kind: "denied" };
    await attempt.forgive();
    return this.#issue(client, right, trial);
  }

  async #issue(client: Client, password: string, trial: boolean): Promise<LoginResult> {
    const { follower, realm, tokenNow, noteToken, onWeakHash } = this.#deps;
    const key = follower.signingKey();
    if (key === undefined) return { kind: "unavailable" };
    const { token, issuedAt, expiresAt } = await issueToken(client, key, realm, tokenNow(), trial);
    // Whom a rotation hits, and who has logged in: not somebody whose quick start was tried.
    if (!trial)
      noteToken({
        clientId: client.id,
        kid: key.kid,
        epoch: client.epoch,
        issuedAt: issuedAt * 1000,
        expiresAt: expiresAt * 1000,
      });
    if (needsRehash(client.passwordHash, password)) onWeakHash(client, password);
    return { kind: "token", token, expiresInS: expiresAt - issuedAt };
  }
}
