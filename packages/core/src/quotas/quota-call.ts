import { available, type Line } from "./line.ts";

/** What a call may be worth. */
export interface QuotaCall {
  /** Units that its service counts: quotas of no other are asked. */
  readonly units: ReadonlySet<string>;
  /** By unit: the most that it may use, in steps. What has none is known at its end alone. */
  readonly reserves: ReadonlyMap<string, number>;
}

export const isRequests = ({ quota }: Line): boolean => quota.units[0] === "requests";

/** Whether the call is held against this quota. */
export const concerns = ({ quota }: Line, { units }: QuotaCall): boolean => quota.units.some((unit) => units.has(unit));

/** What the call sets aside of it. */
export const reserveOf = ({ quota }: Line, { reserves }: QuotaCall): number => {
  let sum = 0;
  for (const unit of quota.units) sum += reserves.get(unit) ?? 0;
  return sum;
};

/** Whether it is known beforehand how much of it the call can use. */
export const isBounded = (line: Line, call: QuotaCall): boolean => isRequests(line) || reserveOf(line, call) > 0;

/** What must be left for the call to be let in. What it will use is known at its end alone: then anything. */
export const needOf = (line: Line, call: QuotaCall): number => (isRequests(line) ? 1 : reserveOf(line, call) || 1);

/** While the store is away: what this gateway may let its calls use. */
export const aloneLeft = (line: Line): number => available(line) + (line.allowance ?? 0);
