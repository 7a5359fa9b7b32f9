/**
 * Refusals go out one in two milliseconds at most: five hundred a second, some percent of a core. Ten in twenty would
 * cost the same, but a call would wait for all ten, and for the next ten guesses that they bring.
 */
const TICK_MS = 2;
/** Beyond it the oldest is answered at once. Each is a request that its client waits for, and nothing more. */
const MOST_HELD = 1_024;

/**
 * Spreads refusals out when there are many. Whoever guesses sends the next guess when the last one is refused, so the
 * faster that is, the more of the processor guessing takes from calls; held back for a fifth of a second, a hundred
 * guessers at once get five hundred answers a second. A refusal by itself waits for nothing. HAProxy's `tarpit` does the same.
 */
export class RefusalPace {
  readonly #held: (() => void)[] = [];
  #ticking: NodeJS.Timeout | undefined;

  /** @param answer called at once or, after others, within about two seconds */
  pass(answer: () => void): void {
    if (this.#ticking === undefined) {
      this.#ticking = setInterval(() => this.#tick(), TICK_MS);
      answer();
      return;
    }
    this.#held.push(answer);
    if (this.#held.length > MOST_HELD) this.#held.shift()?.();
  }

  #tick(): void {
    const due = this.#held.shift();
    if (due !== undefined) {
      due();
      return;
    }
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }
}
