import type { Service } from "@aigw/core";

/** `pages=0.01`, or by model: `input_tokens=0.15/1M; llama*: input_tokens=0.1/1M`. Empty without any. */
export const pricesInWords = ({ prices = [] }: Pick<Service, "prices">): string =>
  prices.map(({ model, prices: texts }) => `${model === undefined ? "" : `${model}: `}${texts.join(" ")}`).join("; ");
