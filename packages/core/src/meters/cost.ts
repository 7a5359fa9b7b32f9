import { BILLION, type Price, type PriceList, pricesFor } from "./price.ts";
import type { Units } from "./unit.ts";

/** The most that one call may cost, in millionths: what is more is recorded as this. */
export const MAX_COST: number = Number.MAX_SAFE_INTEGER;

/** The prices of one model over a common denominator, so that a call costs a sum and one division. */
interface Rates {
  readonly units: readonly string[];
  /** Cost in millionths = Σ value in millionths × factor ÷ divisor. */
  readonly factors: readonly number[];
  readonly divisor: number;
  readonly exactFactors: readonly bigint[];
  readonly exactDivisor: bigint;
}

/** Models whose prices are remembered; a service may call its model whatever it likes. */
const MAX_MODELS = 256;

/** What calls of one service cost. Make one when its prices change. */
export class Tariff {
  readonly #lists: readonly PriceList[];
  readonly #rates = new Map<string | undefined, Rates>();

  constructor(lists: readonly PriceList[]) {
    this.#lists = lists;
  }

  /**
   * Exact; rounded once, to the nearest millionth, half a one upwards.
   * @param units also those that the gateway counts itself, in millionths
   * @returns integer millionths of the currency, 0 to {@link MAX_COST}; null when none of the units has a price
   */
  cost(units: Units, model: string | undefined): number | null {
    const rates = this.#ratesOf(model);
    let sum = 0;
    let priced = false;
    for (const [i, unit] of rates.units.entries()) {
      if (!Object.hasOwn(units, unit)) continue;
      priced = true;
      sum += (units[unit] ?? 0) * (rates.factors[i] ?? 0);
    }
    if (!priced) return null;
    // All terms are positive: when their sum is exact, so was each of them.
    if (sum + rates.divisor > Number.MAX_SAFE_INTEGER) return exactCost(units, rates);
    const rest = sum % rates.divisor;
    return (sum - rest) / rates.divisor + (rest * 2 >= rates.divisor ? 1 : 0);
  }

  #ratesOf(model: string | undefined): Rates {
    const known = this.#rates.get(model);
    if (known !== undefined) return known;
    const rates = ratesOf(pricesFor(this.#lists, model));
    if (this.#rates.size >= MAX_MODELS) this.#rates.clear();
    this.#rates.set(model, rates);
    return rates;
  }
}

const exactCost = (units: Units, { units: names, exactFactors, exactDivisor }: Rates): number => {
  let sum = 0n;
  for (const [i, unit] of names.entries()) {
    if (Object.hasOwn(units, unit)) sum += BigInt(units[unit] ?? 0) * (exactFactors[i] ?? 0n);
  }
  const cost = (2n * sum + exactDivisor) / (2n * exactDivisor);
  return cost > BigInt(MAX_COST) ? MAX_COST : Number(cost);
};

const ratesOf = (prices: readonly Price[]): Rates => {
  const pers = prices.reduce((all, { per }) => leastCommonMultiple(all, BigInt(per)), 1n);
  const divisor = pers * BigInt(BILLION);
  const factors = prices.map(({ billionths, per }) => BigInt(billionths) * (pers / BigInt(per)));
  const common = factors.reduce(greatestCommonDivisor, divisor);
  const exactFactors = factors.map((factor) => factor / common);
  const exactDivisor = divisor / common;
  return {
    units: prices.map(({ unit }) => unit),
    factors: exactFactors.map(Number),
    divisor: Number(exactDivisor),
    exactFactors,
    exactDivisor,
  };
};

const greatestCommonDivisor = (one: bigint, other: bigint): bigint => {
  let [a, b] = [one, other];
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
};

const leastCommonMultiple = (one: bigint, other: bigint): bigint => (one / greatestCommonDivisor(one, other)) * other;
