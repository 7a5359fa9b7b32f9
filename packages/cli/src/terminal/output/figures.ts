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

/**
 * What calls were worth in a unit, for people: `12,345.5`, to the thousandth.
 * @param millionths a value or a sum
 */
export const humanUnits = (millionths: number | bigint): string => {
  const thousandths = (BigInt(millionths) + 500n) / 1_000n;
  const rest = String(thousandths % 1_000n)
    .padStart(3, "0")
    .replace(/0+$/, "");
  const whole = (thousandths / 1_000n).toLocaleString("en-US");
  return rest === "" ? whole : `${whole}.${rest}`;
};

/** A cost, for people: `1,234.50`; below one with all its digits, `0.000012`: it is not to look like nothing. */
export const humanCost = (millionths: number | bigint): string => {
  const cost = BigInt(millionths);
  if (cost > 0n && cost < 1_000_000n) {
    const digits = String(cost).padStart(6, "0").replace(/0+$/, "");
    return `0.${digits.padEnd(2, "0")}`;
  }
  const hundredths = (cost + 5_000n) / 10_000n;
  return `${(hundredths / 100n).toLocaleString("en-US")}.${String(hundredths % 100n).padStart(2, "0")}`;
};
