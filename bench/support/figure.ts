/** What a figure has to reach: the bar must be, the goal is wanted. */
export interface Target {
  readonly bar: number;
  readonly goal: number;
  /** A ratio of throughputs is to be high, a latency low. */
  readonly better: "higher" | "lower";
}

export interface Figure {
  /** A line of the table, such as `throughput, governed, one process, against bare`. */
  readonly what: string;
  readonly value: number;
  readonly unit: "×" | "ms" | "µs" | "MiB" | "%" | "bytes" | "";
  /** Smallest and largest of the rounds that `value` is the median of. */
  readonly spread?: readonly [number, number];
  /** The rounds' interquartile range, as a share of `value`. */
  readonly scatter?: number;
  /** Absent: told for its own sake. */
  readonly target?: Target;
  /** What it was computed from, such as `9,800 of 11,900 requests/s`. */
  readonly from: string;
}

export type Verdict = "goal" | "bar" | "missed" | "undecided" | "";

/** A ratio whose rounds scatter more says nothing about what was measured. */
export const MOST_SCATTER = 0.1;

export const verdictOf = ({ value, target, scatter = 0 }: Figure): Verdict => {
  if (target === undefined) return "";
  if (scatter > MOST_SCATTER) return "undecided";
  const reaches = (bound: number): boolean => (target.better === "higher" ? value >= bound : value <= bound);
  return reaches(target.goal) ? "goal" : reaches(target.bar) ? "bar" : "missed";
};

export const atLeast = (bar: number, goal: number): Target => ({ bar, goal, better: "higher" });
export const atMost = (bar: number, goal: number): Target => ({ bar, goal, better: "lower" });

export const number = (value: number): string =>
  value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0 });
