/** Refusals go out at this pace at most: 1,000 a second, some percent of a core. */
const TICK_MS = 10;
const PER_TICK = 10;
/** Beyond it the oldest is answered at once. Each is a request that its client waits for, and nothing more. */
const MOST_HELD = 1_024;

/**
 * Spreads refusals out when there are many. Whoever guesses sends the next guess when the last one is refused, so the
 * faster that is, the more of the processor guessing takes from calls; held back for a tenth of a second, a hundred
 * guessers at once get a thousand answers a second. A refusal by itself waits for nothing. HAProxy's `tarpit` does the same.
 */
export class RefusalPace {
  readonly #held: (() => void)[] = [];
  #left = PER_TICK;
  #ticking: NodeJS.Timeout | undefined;

  /** @param answer called at once or, after others, within about a second */
  pass(answer: () => void): void {
    if (this.#ticking === undefined) {
      this.#left = PER_TICK;
      this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    }
    if (this.#left > 0) {
      this.#left -= 1;
      answer();
      return;
    }
    this.#held.push(answer);
    if (this.#held.length > MOST_HELD) this.#held.shift()?.();
  }

  #tick(): void {
    const due = this.#held.splice(0, PER_TICK);
    this.#left = PER_TICK - due.length;
    if (due.length === 0) {
      clearInterval(this.#ticking);
      this.#ticking = undefined;
    }
    for (const answer of due) answer();
  }
}
