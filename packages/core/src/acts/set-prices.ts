import { didYouMean } from "../did-you-mean.ts";
import { AigwError } from "../errors.ts";
import { parseModelPattern } from "../meters/model-pattern.ts";
import { type PriceList, parsePrice } from "../meters/price.ts";
import { MAX_PRICE_LISTS, priceListsOf, storedPrices, withoutPrices, withPrices } from "../services/prices.ts";
import type { Service } from "../services/service.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { findService } from "./find.ts";

/**
 * Sets what some units of a service cost; other units and models keep their prices, and no call of before costs another
 * amount.
 * @param prices such as `input_tokens=0.15/1M`, each unit once; see {@link parsePrice}
 * @param model a pattern, see {@link parseModelPattern}; undefined: every model
 * @throws AigwError `not_found`, `invalid_value`
 */
export const setPrices = (
  deps: ActDeps,
  service: string,
  prices: readonly string[],
  model?: string,
): Promise<Committed<Service>> => {
  const given = prices.map(parsePrice);
  const twice = given.find(({ unit }, index) => given.findIndex((other) => other.unit === unit) < index);
  if (twice !== undefined) throw new AigwError("invalid_value", `${twice.unit} is priced twice: name each unit once.`);
  const pattern = model === undefined ? undefined : parseModelPattern(model);
  return change(deps, service, (lists) => {
    const after = withPrices(lists, pattern, given);
    if (after.length <= MAX_PRICE_LISTS) return after;
    throw new AigwError(
      "invalid_value",
      `${service} has prices for ${MAX_PRICE_LISTS} models, which is all there may be: use a pattern such as 'llama*'.`,
    );
  });
};

/**
 * Takes prices away: calls from then on cost nothing for these units, and those without any price count as unpriced.
 * @param units none: all of them
 * @throws AigwError `not_found` also for what has no price
 */
export const removePrices = (
  deps: ActDeps,
  service: string,
  units: readonly string[],
  model?: string,
): Promise<Committed<Service>> => {
  const pattern = model === undefined ? undefined : parseModelPattern(model);
  return change(deps, service, (lists) => {
    assertPriced(service, lists, units, pattern);
    return withoutPrices(lists, pattern, units);
  });
};

const change = (
  deps: ActDeps,
  name: string,
  to: (lists: readonly PriceList[]) => readonly PriceList[],
): Promise<Committed<Service>> =>
  commit(deps, async () => {
    const before = await findService(deps.store.control, name);
    const { prices: _before, ...rest } = before;
    const after: Service = { ...rest, ...storedPrices(to(priceListsOf(before))) };
    if (JSON.stringify(after.prices) === JSON.stringify(before.prices)) return { result: before };
    return { draft: { action: "service.set", subject: name, after }, result: after };
  });

const assertPriced = (
  service: string,
  lists: readonly PriceList[],
  units: readonly string[],
  model: string | undefined,
): void => {
  const list = lists.find((known) => known.model === model);
  const whose = model === undefined ? service : `${service} for '${model}'`;
  if (list === undefined) {
    const patterns = lists.flatMap((known) => known.model ?? []);
    const guess = model === undefined ? "" : didYouMean(model, patterns);
    throw new AigwError("not_found", `There is no price of ${whose}.${guess} List them: aigw price list ${service}`);
  }
  const known = list.prices.map(({ unit }) => unit);
  const missing = units.find((unit) => !known.includes(unit));
  if (missing === undefined) return;
  throw new AigwError(
    "not_found",
    `There is no price of ${missing} of ${whose}; there is one of: ${known.join(", ")}.${didYouMean(missing, known)}`,
  );
};
