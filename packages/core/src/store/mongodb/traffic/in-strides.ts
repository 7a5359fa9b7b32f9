const QUICK_MS = 100;
const SLOW_MS = 1_000;
const CHANGE = 4;

/**
 * Goes from `from` to `to`, each query as far as the ones before it were quick: what goes through many events would be
 * cut off by the connection's time-out if it were one query, and small steps through nothing would not end.
 * @param step one query over `from` ≤ x < `to`; false ends it
 */
export const inStrides = async (
  from: number,
  to: number,
  first: number,
  step: (from: number, to: number) => Promise<boolean>,
): Promise<void> => {
  let stride = first;
  for (let at = from; at < to; ) {
    const end = Math.min(at + stride, to);
    const started = performance.now();
    if (!(await step(at, end))) return;
    const took = performance.now() - started;
    at = end;
    if (took < QUICK_MS) stride *= CHANGE;
    else if (took > SLOW_MS) stride = Math.max(1, Math.floor(stride / CHANGE));
  }
};
