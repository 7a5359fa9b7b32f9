/** @param share 0…1. Nearest rank, so that the answer is a value that occurred. */
export const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
};

/** The mean of the two middle ones for an even count. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
};

export const spreadOf = (values: readonly number[]): readonly [number, number] => [
  Math.min(...values),
  Math.max(...values),
];

/** The interquartile range as a share of the median: how much of a figure is the machine's mood. */
export const scatterOf = (values: readonly number[]): number =>
  (quantile(values, 0.75) - quantile(values, 0.25)) / Math.abs(median(values));

/** Each round's own ratio: what the machine does to a round, it does to both. */
export const ratios = (ours: readonly number[], peers: readonly number[]): number[] =>
  ours.map((value, round) => value / (peers[round] ?? Number.NaN));

/** Of the straight line of least squares, with its standard error: both in units of `y` for one of `x`. */
export const slopeOf = (
  x: readonly number[],
  y: readonly number[],
): { readonly slope: number; readonly error: number } => {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [meanX, meanY] = [mean(x), mean(y)];
  const spreadX = x.reduce((sum, value) => sum + (value - meanX) ** 2, 0);
  const slope = x.reduce((sum, value, at) => sum + (value - meanX) * ((y[at] ?? Number.NaN) - meanY), 0) / spreadX;
  const left = x.reduce((sum, value, at) => sum + ((y[at] ?? Number.NaN) - meanY - slope * (value - meanX)) ** 2, 0);
  return { slope, error: Math.sqrt(left / (x.length - 2) / spreadX) };
};
