import type { TokenClaims } from "./token.ts";

/**
 * Bounded memory of tokens that were verified, keyed by the whole token, so that the signature is checked once.
 * It answers only "this is genuine"; expiry, key and client are checked on every request.
 *
 * Two generations: when the young one is full, it becomes the old one and the old one is dropped. A token in use moves
 * back to the young one, so at most 2 × `capacity` are held (0.5 KiB each) and none is dropped while in use.
 */
export class TokenMemory {
  readonly #capacity: number;
  #young = new Map<string, TokenClaims>();
  #old = new Map<string, TokenClaims>();

  constructor(capacity = 10_000) {
    this.#capacity = capacity;
  }

  /** How many are held; one that came back into use counts twice for a while. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(token: string): TokenClaims | undefined {
    const young = this.#young.get(token);
    if (young !== undefined) return young;
    const old = this.#old.get(token);
    if (old !== undefined) this.set(token, old);
    return old;
  }

  set(token: string, claims: TokenClaims): void {
    if (this.#young.size >= this.#capacity) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(token, claims);
  }

  /** Drops what a change made worthless; O(size), so call it per change or minute and not per request. */
  dropWhere(dead: (claims: TokenClaims) => boolean): void {
    for (const generation of [this.#young, this.#old]) {
      for (const [token, claims] of generation) if (dead(claims)) generation.delete(token);
    }
  }
}
