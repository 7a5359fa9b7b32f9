/** One gateway's part of what is free while each counts alone: of so many gateways it is the `rank`-th, from 0. */
export interface Share {
  readonly of: number;
  readonly rank: number;
}

/** Of who is alone. */
export const WHOLE: Share = { of: 1, rank: 0 };

/** The parts of all gateways together are what is free, and no more. */
export const partOf = ({ of, rank }: Share, free: number): number => Math.floor(free / of) + (rank < free % of ? 1 : 0);
