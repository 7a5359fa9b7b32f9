import { MILLION } from "../meters/unit.ts";
import type { UsageEvent } from "./usage-event.ts";

/**
 * Sums of what calls were worth, by unit, and of what they cost, as `cost`, which no meter may call a unit; in
 * millionths. Whole numbers of any size: ten thousand million tokens are more millionths than a number holds.
 */
export type Worth = Map<string, bigint>;

export const COST = "cost";

/** What an event adds to {@link Worth}; nothing without a meter and a price. */
export const worthOf = ({
  units,
  cost,
}: Pick<UsageEvent, "units" | "cost">): readonly (readonly [string, number])[] => {
  if (units === undefined && typeof cost !== "number") return NOTHING;
  const worth = Object.entries(units ?? {});
  if (typeof cost === "number") worth.push([COST, cost]);
  return worth;
};

const NOTHING: readonly (readonly [string, number])[] = [];

export const addWorth = (sums: Worth, name: string, millionths: bigint): void => {
  sums.set(name, (sums.get(name) ?? 0n) + millionths);
};

/** A sum as engines keep it: whole ones and millionths apart, neither of which a life's calls bring to overflow. */
export interface StoredSum {
  readonly whole: number;
  readonly millionths: number;
}

const PART = BigInt(MILLION);

export const toStoredSum = (sum: bigint): StoredSum => ({
  whole: Number(sum / PART),
  millionths: Number(sum % PART),
});

/** Also of sums whose millionths are more than a whole one. */
export const fromStoredSum = ({ whole, millionths }: StoredSum): bigint => BigInt(whole) * PART + BigInt(millionths);

/** `1500000n` → `1.5`: a decimal number without an exponent, exact. */
export const sumInWords = (sum: bigint): string => {
  const rest = sum % PART;
  return rest === 0n ? String(sum / PART) : `${sum / PART}.${String(rest).padStart(6, "0").replace(/0+$/, "")}`;
};

/** How many requests had a price and how many none, how many a meter looked at, read nothing from, and estimated. */
export const WORTH_COUNTS = ["priced", "unpriced", "metered", "unread", "estimated"] as const;

export type WorthCounts = Readonly<Record<(typeof WORTH_COUNTS)[number], number>>;

/** Of an event, in the order of {@link WORTH_COUNTS}. */
export const worthCountsOf = ({
  cost,
  metered,
  count = 1,
}: {
  readonly cost?: UsageEvent["cost"] | undefined;
  readonly metered?: UsageEvent["metered"] | undefined;
  readonly count?: number;
}): readonly number[] => [
  typeof cost === "number" ? count : 0,
  cost === null ? count : 0,
  metered === undefined ? 0 : count,
  metered === "no" ? count : 0,
  metered === "estimated" ? count : 0,
];
