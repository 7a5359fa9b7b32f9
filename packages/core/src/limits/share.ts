import { currentWindow, type Holding, type Terms, withAlone } from "./holding.ts";
import { counted } from "./permit-window.ts";

/** One gateway's part of what is free while each counts alone: of so many gateways it is the `rank`-th, from 0. */
export interface Share {
  readonly of: number;
  readonly rank: number;
}

/** Of who is alone. */
export const WHOLE: Share = { of: 1, rank: 0 };

/** The parts of all gateways together are what is free, and no more. */
export const partOf = ({ of, rank }: Share, free: number): number => Math.floor(free / of) + (rank < free % of ? 1 : 0);

/**
 * To who counts alone, permits count for so long more: what runs out meanwhile others may take, who had a later look at
 * the store, or have it back sooner. As long as a failover takes, with MongoDB's own time-out of 10 s for elections.
 */
const ALONE_MS = 15_000;

/** How many more this instance may admit alone. */
export const leftOfShare = (holding: Holding, part: Share, now: number, terms: Terms): number => {
  const longer = part.of > 1 ? ALONE_MS : 0;
  const own = holding.alone.reduce((sum, [at, count]) => sum + (now - at < terms.windowMs + longer ? count : 0), 0);
  const known = currentWindow(holding, now - longer, terms);
  const free = holding.limit - (counted(known) - own);
  return partOf(part, free) - own;
};

/** So many more were admitted on this instance's share. */
export const countAlone = (holding: Holding, now: number, count: number, { windowMs }: Terms): void => {
  holding.alone = withAlone(holding.alone, now, count, windowMs + ALONE_MS);
};
