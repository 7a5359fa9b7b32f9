import { MOST_SCATTER } from "./figure.ts";
import { median, ratios, scatterOf, spreadOf } from "./statistics.ts";

export type Contenders<K extends string, S> = Readonly<Record<K, () => Promise<S>>>;

/** Rounds are repeated until what they are compared by is steady, up to so many times as many. */
const MOST_TIMES = 3;

/**
 * A B C A B C …: one that is measured later does not meet a warmer or a busier machine than the others.
 * @param warmUp is run once for each before anything counts
 * @param compared the values whose scatter has to be small before it is enough
 */
export const interleave = async <K extends string, S>(
  contenders: Contenders<K, S>,
  rounds: number,
  warmUp?: (name: K) => Promise<unknown>,
  compared?: (samples: Readonly<Record<K, readonly S[]>>) => readonly (readonly number[])[],
): Promise<Record<K, S[]>> => {
  const names = Object.keys(contenders) as K[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, S[]>;
  for (const name of names) await warmUp?.(name);
  const isSteady = (): boolean => compared?.(samples).every((values) => scatterOf(values) <= MOST_SCATTER) ?? true;
  for (let round = 0; round < rounds || (round < MOST_TIMES * rounds && !isSteady()); round += 1) {
    for (const name of names) samples[name].push(await contenders[name]());
  }
  return samples;
};

export interface Compared {
  readonly value: number;
  readonly spread: readonly [number, number];
  readonly scatter: number;
}

/** The median of the rounds' ratios, and how far they spread. */
export const ratioOf = (ours: readonly number[], peers: readonly number[]): Compared => {
  const each = ratios(ours, peers);
  return { value: median(each), spread: spreadOf(each), scatter: scatterOf(each) };
};

/** The median of the rounds' differences, and how far they spread. */
export const differenceOf = (
  ours: readonly number[],
  theirs: readonly number[],
): { readonly value: number; readonly spread: readonly [number, number] } => {
  const each = ours.map((value, round) => value - (theirs[round] ?? Number.NaN));
  return { value: median(each), spread: spreadOf(each) };
};
