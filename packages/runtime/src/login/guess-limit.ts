import { createHash } from "node:crypto";
import type { MaybePromise, TrafficStore } from "@aigw/core";
import { Limiter, type Permit, type Share } from "@aigw/core/limits";

/** The window of the guessing bounds, milliseconds. */
const WINDOW_MS = 300_000;
/** Hashes per account and source in one window. */
const PER_ACCOUNT_AND_SOURCE = 10;
/** Failures per source over all accounts in one window: a bound on trying one password on many names. */
const PER_SOURCE = 100;

/** A login attempt that was counted. */
export interface Attempt {
  /** It was no guess: the password was right. */
  readonly forgive: () => Promise<void>;
}

/**
 * Bounds guessing. An attempt is counted before its password is hashed, so that a burst cannot outrun the count, and
 * forgiven when the password was right. Kept in the store: a restart resets nothing, all instances share it. Nobody can
 * lock a client out from elsewhere, because the count is per source.
 */
export class GuessLimit {
  readonly #limiter: Limiter;

  /** @param share of this gateway, while attempts cannot be counted in the store */
  constructor(store: TrafficStore, holder: string, share: () => Share) {
    this.#limiter = new Limiter({ store, holder, windowMs: WINDOW_MS, bundles: false, share });
  }

  /**
   * For how many milliseconds a source is over its bound for certain, or an account from it, as far as this instance
   * knows: no store is asked, so that who is over it costs next to nothing. Undefined when {@link attempt} has to say.
   */
  knownWait(source: string, account?: string): number | undefined {
    const bySource = this.#limiter.refusedFor(keyOfSource(source));
    return bySource ?? (account === undefined ? undefined : this.#limiter.refusedFor(keyOfAccount(account)));
  }

  /**
   * @param account as {@link accountOf} says it
   * @returns the attempt, or for how many milliseconds to wait
   */
  async attempt(source: string, account: string): Promise<Attempt | { readonly waitMs: number }> {
    const keys = [keyOfSource(source), keyOfAccount(account)] as const;
    // The source first: when it is over its bound that costs no write, whatever names it tries.
    const bySource = await this.#limiter.acquire(keys[0], PER_SOURCE);
    if (!bySource.admitted) return { waitMs: bySource.resetMs };
    const byAccount = await this.#limiter.acquire(keys[1], PER_ACCOUNT_AND_SOURCE);
    if (!byAccount.admitted) {
      await this.#limiter.refund(keys[0], bySource);
      return { waitMs: byAccount.resetMs };
    }
    return { forgive: () => this.#forgive([keys[0], bySource], [keys[1], byAccount]) };
  }

  /** See {@link Limiter.settle}. */
  settle(): Promise<void> {
    return this.#limiter.settle();
  }

  prune(): void {
    this.#limiter.prune();
  }

  close(): Promise<void> {
    return this.#limiter.close();
  }

  async #forgive(...counted: readonly (readonly [string, Permit])[]): Promise<void> {
    for (const [key, permit] of counted) {
      const done: MaybePromise<void> = this.#limiter.refund(key, permit);
      await done;
    }
  }
}

/** An account as one source tries it: a name of any length and content becomes a key of fixed size. */
export const accountOf = (username: string, source: string): string =>
  createHash("sha256").update(`${source} ${username}`).digest("base64url").slice(0, 22);

const keyOfSource = (source: string): string => `login-source:${source}`;
const keyOfAccount = (account: string): string => `login:${account}`;
