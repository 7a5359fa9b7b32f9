/**
 * The environment of a process that finds the machine's clock set by so much. Only the clock that can be set is: what a
 * process measures by the monotonic clock goes on as it does for all others.
 */
export const clockSetBy = (ms: number): Record<string, string> => {
  const code = `const real=Date.now;Date.now=()=>real()+(${ms})`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
};
