import { AigwError } from "../errors.ts";
import { matches, moreSpecific } from "./model-pattern.ts";
import { parseUnit } from "./unit.ts";

/** What some of a unit costs. */
export interface Price {
  readonly unit: string;
  /** In thousand-millionths of the currency, 0 to 10^15: exact in a number. */
  readonly billionths: number;
  /** For so many of the unit, 1 to 10^9. */
  readonly per: number;
}

/** Prices for the models that match a pattern, or for all. */
export interface PriceList {
  /** With `*` for any characters; absent: every model, and calls without one. */
  readonly model?: string;
  readonly prices: readonly Price[];
}

export const BILLION = 1_000_000_000;
const SUFFIXES: Readonly<Record<string, number>> = { "": 1, K: 1_000, M: 1_000_000, G: 1_000_000_000 };
const PRICE = /^([0-9]{1,7})(?:\.([0-9]{1,9}))?(?:\/([1-9][0-9]{0,9})?([KMG]?))?$/;
const MAX_AMOUNT = 1_000_000;

const invalid = (value: string, why: string): AigwError =>
  new AigwError("invalid_value", `price '${value}' is not valid: ${why}.`);

/**
 * `input_tokens=0.15/1M`, `pages=0.01`, `seconds=0.006/60`: an amount of up to a million with up to nine decimals, for
 * one or for a number of the unit.
 * @throws AigwError `invalid_value`
 */
export const parsePrice = (value: string): Price => {
  const equals = value.indexOf("=");
  if (equals < 0) throw invalid(value, "name a unit and its price, such as pages=0.01 or input_tokens=0.15/1M");
  const unit = parseUnit(value.slice(0, equals).trim());
  if (unit === "cost") throw invalid(value, "cost is what prices make, and has none");
  const text = value.slice(equals + 1).trim();
  const match = PRICE.exec(text);
  if (match === null || text.endsWith("/")) {
    throw invalid(
      value,
      "use an amount from 0 to 1000000 with up to nine decimals, alone or for a number: 0.01, 0.15/1M, 0.006/60",
    );
  }
  const [, whole = "", decimals = "", count = "1", suffix = ""] = match;
  const billionths = Number(whole) * BILLION + Number(decimals.padEnd(9, "0"));
  if (billionths > MAX_AMOUNT * BILLION) throw invalid(value, "an amount is at most 1000000");
  const per = Number(count) * (SUFFIXES[suffix] ?? 1);
  if (per > BILLION) throw invalid(value, "a price is for at most 1G of a unit");
  return { unit, billionths, per };
};

/** As {@link parsePrice} reads it. */
export const priceInWords = ({ unit, billionths, per }: Price): string => {
  const decimals = String(billionths % BILLION)
    .padStart(9, "0")
    .replace(/0+$/, "");
  const amount = `${Math.floor(billionths / BILLION)}${decimals === "" ? "" : `.${decimals}`}`;
  return per === 1 ? `${unit}=${amount}` : `${unit}=${amount}/${countInWords(per)}`;
};

const countInWords = (per: number): string => {
  for (const [suffix, times] of Object.entries(SUFFIXES).reverse()) {
    if (per % times === 0) return `${per / times}${suffix}`;
  }
  return String(per);
};

/**
 * The prices of a call: for each unit, of the lists that match the model and price that unit, the most specific.
 * @param model undefined when it is not known: only lists for every model match
 */
export const pricesFor = (lists: readonly PriceList[], model: string | undefined): readonly Price[] => {
  const found = new Map<string, { readonly price: Price; readonly list: PriceList }>();
  for (const list of lists) {
    if (list.model !== undefined && (model === undefined || !matches(list.model, model))) continue;
    for (const price of list.prices) {
      const known = found.get(price.unit);
      if (known === undefined || moreSpecific(list.model, known.list.model)) found.set(price.unit, { price, list });
    }
  }
  return [...found.values()].map(({ price }) => price);
};
