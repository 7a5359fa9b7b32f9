import type { SeenQueue } from "@aigw/core/queue";

/** The queue of a service that takes only so many calls at once. */
export interface QueueJson {
  readonly service: string;
  readonly concurrency: number;
  /** That calls have, or a gateway keeps for a moment for the next. */
  readonly slots: number;
  readonly waiting: number;
  /** How many may wait. */
  readonly queue: number;
  /** Null when none waits. */
  readonly oldestWaitMs: number | null;
  /** How long a call has its slot, on average; null when nobody knows. */
  readonly serviceMs: number | null;
}

export const queueJson = ({ most, waitMs: _waitMs, oldestMs, holdMs, ...queue }: SeenQueue): QueueJson => ({
  ...queue,
  queue: most,
  oldestWaitMs: oldestMs ?? null,
  serviceMs: holdMs ?? null,
});
