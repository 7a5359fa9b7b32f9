/** A gateway that is one of several processes behind one address. */
export interface GatewayWorker {
  /** From 1. What only one of them needs to do, number 1 does. */
  readonly number: number;
  readonly of: number;
}

/** Whoever accepts connections for workers stops so much sooner than they do, and hands out meanwhile what it has. */
export const HAND_OUT_MS = 150;
