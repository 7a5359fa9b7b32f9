const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** `1.2 MB`, in powers of 1000. */
export const humanBytes = (bytes: number): string => {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
};

/** `0.4 ms`, `85 ms`, `1.2 s`. */
export const humanMs = (ms: number): string => {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 100_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
};

/** `12,345`. */
export const grouped = (count: number): string => count.toLocaleString("en-US");
