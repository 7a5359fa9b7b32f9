import { moreSpecific } from "../meters/model-pattern.ts";
import { type Price, type PriceList, parsePrice, priceInWords } from "../meters/price.ts";
import type { Service, StoredPriceList } from "./service.ts";

/** Models whose prices one service may list: each list is looked at for each model that calls name. */
export const MAX_PRICE_LISTS = 100;

/** @throws AigwError `invalid_value` when another version has stored what this one does not know */
export const priceListsOf = ({ prices = [] }: Pick<Service, "prices">): readonly PriceList[] =>
  prices.map(({ model, prices: texts }) => ({
    ...(model !== undefined && { model }),
    prices: texts.map(parsePrice),
  }));

/** Those of one model pattern, each in the place of the one for its unit. In one order, whoever was set when. */
export const withPrices = (
  lists: readonly PriceList[],
  model: string | undefined,
  given: readonly Price[],
): readonly PriceList[] => {
  const before = lists.find((list) => list.model === model)?.prices ?? [];
  const units = new Map([...before, ...given].map((price) => [price.unit, price]));
  const prices = [...units.values()].sort((one, other) => (one.unit < other.unit ? -1 : 1));
  return inOrder([...lists.filter((list) => list.model !== model), { ...(model !== undefined && { model }), prices }]);
};

/** @param units of the list for this pattern; none: the whole list */
export const withoutPrices = (
  lists: readonly PriceList[],
  model: string | undefined,
  units: readonly string[],
): readonly PriceList[] =>
  lists.flatMap((list) => {
    if (list.model !== model) return [list];
    const prices = units.length === 0 ? [] : list.prices.filter(({ unit }) => !units.includes(unit));
    return prices.length === 0 ? [] : [{ ...list, prices }];
  });

/** As a service keeps them; not at all when there are none. */
export const storedPrices = (lists: readonly PriceList[]): Pick<Service, "prices"> =>
  lists.length === 0
    ? {}
    : {
        prices: lists.map(
          ({ model, prices }): StoredPriceList => ({
            ...(model !== undefined && { model }),
            prices: prices.map(priceInWords),
          }),
        ),
      };

/** For every model first, the most specific pattern last. */
const inOrder = (lists: readonly PriceList[]): readonly PriceList[] =>
  lists.toSorted((one, other) => (moreSpecific(one.model, other.model) ? 1 : -1));
