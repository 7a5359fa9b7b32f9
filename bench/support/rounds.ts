import { median, ratios, spreadOf } from "./statistics.ts";

export type Contenders<K extends string, S> = Readonly<Record<K, () => Promise<S>>>;

/**
 * A B C A B C …: one that is measured later does not meet a warmer or a busier machine than the others.
 * @param warmUp is run once for each before anything counts
 */
export const interleave = async <K extends string, S>(
  contenders: Contenders<K, S>,
  rounds: number,
  warmUp?: (name: K) => Promise<unknown>,
): Promise<Record<K, S[]>> => {
  const names = Object.keys(contenders) as K[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, S[]>;
  for (const name of names) await warmUp?.(name);
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) samples[name].push(await contenders[name]());
  }
  return samples;
};

/** The median of the rounds' ratios, and how far they spread. */
export const ratioOf = (
  ours: readonly number[],
  peers: readonly number[],
): { readonly value: number; readonly spread: readonly [number, number] } => {
  const each = ratios(ours, peers);
  return { value: median(each), spread: spreadOf(each) };
};

/** The median of the rounds' differences, and how far they spread. */
export const differenceOf = (
  ours: readonly number[],
  theirs: readonly number[],
): { readonly value: number; readonly spread: readonly [number, number] } => {
  const each = ours.map((value, round) => value - (theirs[round] ?? Number.NaN));
  return { value: median(each), spread: spreadOf(each) };
};
