/** Seconds: from a small answer to a model that thinks for a minute. */
export const CALL_BOUNDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** Counts durations. Observing costs a short walk over the bounds and no allocation. */
export class Histogram {
  /** Upper bounds, seconds, ascending. */
  readonly bounds: readonly number[];
  /** How many fell into each; the last is for those above every bound. Not cumulative. */
  readonly counts: number[];
  /** Seconds. */
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array<number>(bounds.length + 1).fill(0);
  }

  observe(ms: number): void {
    const seconds = ms / 1000;
    this.sum += seconds;
    let i = 0;
    while (i < this.bounds.length && seconds > (this.bounds[i] ?? 0)) i += 1;
    this.counts[i] = (this.counts[i] ?? 0) + 1;
  }
}
