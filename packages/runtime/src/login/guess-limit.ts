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
  /** It was no guess: the password was right, or was never tried. */
  readonly forgive: () => Promise<void>;
}

/**
 * Bounds guessing. An attempt is counted before its password is hashed, so that a burst cannot outrun the count, and
 * forgiven when the password was right. Kept in the store: a restart resets nothing, all instances share it. Nobody can
 * lock a client out from elsewhere, because the count is per source.
 */
export class GuessLimit {
  readonly #limiter: Limiter;
  readonly #turns = new Map<string, Promise<unknown>>();

  /** @param share of this gateway, while attempts cannot be counted in the store */
  constructor(store: TrafficStore, holder: string, share: () => Share) {
    this.#limiter = new Limiter({ store, holder, windowMs: WINDOW_MS, bundles: false, share });
  }

  /** @returns the attempt, or for how many milliseconds to wait */
  async attempt({ username, source }: Attempted): Promise<Attempt | { readonly waitMs: number }> {
    const accountKey = accountKeyOf(username, source);
    const sourceKey = `login-source:${source}`;
    // Looked at first: a source that is over its bound costs no write, whatever names it tries.
    const already = await this.#limiter.peek(sourceKey, PER_SOURCE);
    if (already.remaining === 0) return { waitMs: already.resetMs };
    const account = await this.#limiter.acquire(accountKey, PER_ACCOUNT_AND_SOURCE);
    if (!account.admitted) return { waitMs: account.resetMs };
    const bySource = await this.#limiter.acquire(sourceKey, PER_SOURCE);
    if (!bySource.admitted) {
      await this.#limiter.refund(accountKey, account);
      return { waitMs: bySource.resetMs };
    }
    return { forgive: () => this.#forgive([accountKey, account], [sourceKey, bySource]) };
  }

  /**
   * Attempts at one account from one source one after the other: a right password that is still being checked must not
   * count against the next one. Few are longer than a hash.
   */
  async inTurn<T>({ username, source }: Attempted, work: () => Promise<T>): Promise<T> {
    const key = accountKeyOf(username, source);
    const mine = Promise.resolve(this.#turns.get(key)).then(work, work);
    this.#turns.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#turns.get(key) === mine) this.#turns.delete(key);
    }
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

interface Attempted {
  readonly username: string;
  /** Who tries, as `Callers.sourceOf` says it. */
  readonly source: string;
}

const accountKeyOf = (username: string, source: string): string => `login:${digest(`${source} ${username}`)}`;

/** A name of any length and content becomes a key of fixed size. */
const digest = (text: string): string => createHash("sha256").update(text).digest("base64url").slice(0, 22);
