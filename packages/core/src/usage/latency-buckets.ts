/** The highest bound, 2^17 ms: what took longer counts as "at least that". */
const OCTAVES = 17;

/**
 * Upper bounds of all latency buckets but the last, milliseconds: two per octave, 1, 1.5, 2, 3, 4, 6 … 131072. Each is
 * exact in binary, so that every engine sorts a latency into the same bucket. Never changed once stored.
 */
export const LATENCY_BOUNDS: readonly number[] = [
  ...Array.from({ length: OCTAVES * 2 }, (_, index) => 2 ** Math.floor(index / 2) * (index % 2 === 0 ? 1 : 1.5)),
  2 ** OCTAVES,
];

/** Bucket 0 is below 1 ms, the last one open-ended. */
export const LATENCY_BUCKETS: number = LATENCY_BOUNDS.length + 1;

export const bucketOf = (latencyMs: number): number => {
  let low = 0;
  let high = LATENCY_BOUNDS.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((LATENCY_BOUNDS[middle] ?? Number.POSITIVE_INFINITY) <= latencyMs) low = middle + 1;
    else high = middle;
  }
  return low;
};

/**
 * The latency that the share `q` of the counted calls did not exceed, milliseconds; undefined without calls. Taken as
 * spread evenly within a bucket, so it is off by less than a bucket's width: by a half at most, mostly by a tenth.
 */
export const quantile = (counts: readonly number[], q: number): number | undefined => {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const rank = q * total;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) {
      const from = LATENCY_BOUNDS[index - 1] ?? 0;
      const to = LATENCY_BOUNDS[index] ?? from;
      return from + ((to - from) * (rank - below)) / count;
    }
    below += count;
  }
  return LATENCY_BOUNDS.at(-1);
};
