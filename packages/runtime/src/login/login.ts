import type { Client, MaybePromise, TokenIssue } from "@aigw/core";
import { hashPassword, needsRehash, passwordForms, rightForm } from "@aigw/core/passwords";
import { randomId } from "@aigw/core/random-id";
import { issueToken, type TokenRealm } from "@aigw/core/tokens";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { Authenticator } from "../gate/authenticator.ts";
import type { Credentials } from "./credentials.ts";
import { accountOf, type GuessLimit } from "./guess-limit.ts";
import { standBackForCalls } from "./hash-priority.ts";
import type { Applicant, HashSlots } from "./hash-slots.ts";

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

/** Who tries; `source` as `Callers.sourceOf` says it. */
export interface Attempter extends Pick<Applicant, "source" | "isGone"> {
  /** What says that it is a trial, as far as it came with something: see `trialMark`. */
  readonly mark?: string | undefined;
}

/** Exchanges a client's credentials for a token. */
export class Login {
  readonly #deps: LoginDeps;
  /** What an unknown name's password is checked against, so that it costs the same work. */
  readonly #decoyHash: Promise<string> = hashPassword(randomId("", 32));

  constructor(deps: LoginDeps) {
    this.#deps = deps;
    // Only now there are threads for certain.
    this.#decoyHash.then(standBackForCalls, () => undefined);
  }

  /** For how many milliseconds whatever comes from this source is refused; undefined when that depends on what it is. */
  knownWait(source: string): number | undefined {
    return this.#deps.guessLimit.knownWait(source);
  }

  /** Answers at once whom this instance knows to be over a bound. */
  attempt(credentials: Credentials, { source, isGone, mark }: Attempter): MaybePromise<LoginResult> {
    const { guessLimit, isTrial } = this.#deps;
    const account = accountOf(credentials.username, source);
    const waitMs = guessLimit.knownWait(source, account);
    if (waitMs !== undefined) return { kind: "slow_down", waitMs };
    const trial = mark !== undefined && isTrial(credentials.username, mark);
    return this.#inTurn(credentials, { source, account, isGone }, trial);
  }

  async #inTurn(credentials: Credentials, applicant: Applicant, trial: boolean): Promise<LoginResult> {
    const { follower, hashSlots } = this.#deps;
    // Before its turn: a store that does not answer must not keep a slot from others.
    const isSure = await follower.refresh();
    if (!(await follower.isFresh())) return { kind: "unavailable" };
    const result = await hashSlots.run(applicant, () => this.#attempt(credentials, applicant, trial));
    // The client may be new, or its password: what the log has by now could not be read.
    if (result === undefined || (result.kind === "denied" && !isSure)) return { kind: "unavailable" };
    return result;
  }

  async #attempt(
    { username, password, asSent }: Credentials,
    { source, account }: Applicant,
    trial: boolean,
  ): Promise<LoginResult> {
    const { follower, guessLimit, hashSlots } = this.#deps;
    // It may have gone over a bound while it waited for its turn.
    const waitMs = guessLimit.knownWait(source, account);
    if (waitMs !== undefined) return { kind: "slow_down", waitMs };
    const attempt = await guessLimit.attempt(source, account);
    if ("waitMs" in attempt) return { kind: "slow_down", waitMs: attempt.waitMs };
    const before = follower.clientByName(username);
    const hash = before?.passwordHash ?? (await this.#decoyHash);
    const all = before === undefined || this.#deps.authenticator.standing(before) !== "active";
    const right = await rightForm(hash, passwordForms(password, asSent), all);
    // Read again: it may have been revoked or given a new password while the hash was computed.
    const client = follower.clientByName(username);
    const same = client !== undefined && client.id === before?.id && client.epoch === before.epoch;
    if (right === false || !same || this.#deps.authenticator.standing(client) !== "active") return { kind: "denied" };
    hashSlots.noteGoodLogin(source, client.id);
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
