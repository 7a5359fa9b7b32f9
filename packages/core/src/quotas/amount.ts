import { MILLION, millionthsInWords } from "../meters/unit.ts";

/** Counted in whole ones: 100G of bytes in millionths would be more than a number holds exactly. */
const WHOLE_UNITS: ReadonlySet<string> = new Set(["requests", "bytes_in", "bytes_out"]);

/** How many steps of its counter one of a unit is: 1 for requests and bytes, else a million. */
export const stepsOf = (unit: string): number => (WHOLE_UNITS.has(unit) ? 1 : MILLION);

/**
 * The most that a quota or a grant may be, in steps; counters stop at {@link MAX_STEPS}, and a sum of the two is still
 * an exact number.
 */
export const MAX_AMOUNT: number = 4_000 * MILLION * MILLION;
export const MAX_STEPS: number = 8_000 * MILLION * MILLION;

const SUFFIXES: Readonly<Record<string, bigint>> = {
  "": 1n,
  K: 1_000n,
  M: 1_000_000n,
  G: 1_000_000_000n,
  T: 1_000_000_000_000n,
};
const AMOUNT = /^([0-9]{1,16})(?:\.([0-9]{1,6}))?([KMGT]?)$/;

/**
 * `10000`, `2M`, `0.5`, `1.5G`: more than 0.
 * @returns steps of the unit's counter; undefined for what is no such amount, finer than a step, or above {@link MAX_AMOUNT}
 */
export const parseAmount = (text: string, steps: number): number | undefined => {
  const match = AMOUNT.exec(text);
  if (match === null) return undefined;
  const [, whole = "", decimals = "", suffix = ""] = match;
  const digits = BigInt(whole + decimals) * (SUFFIXES[suffix] ?? 1n) * BigInt(steps);
  const scale = 10n ** BigInt(decimals.length);
  const amount = digits / scale;
  return digits % scale === 0n && amount > 0n && amount <= BigInt(MAX_AMOUNT) ? Number(amount) : undefined;
};

/** As {@link parseAmount} reads it: digits up to a million, then in M, G, T where that is shorter. */
export const amountInWords = (amount: number, steps: number): string => {
  for (const suffix of ["T", "G", "M"]) {
    const one = steps * Number(SUFFIXES[suffix]);
    const thousandth = one / 1_000;
    if (amount >= one && amount % thousandth === 0)
      return `${millionthsInWords((amount / thousandth) * 1_000)}${suffix}`;
  }
  return steps === 1 ? String(amount) : millionthsInWords(amount);
};

/** As JSON has it: a decimal number. */
export const amountAsNumber = (amount: number, steps: number): number => amount / steps;
