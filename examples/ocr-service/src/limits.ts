/** What one service takes on at a time. Sizes in bytes, times in milliseconds. */
export interface Limits {
  /** Largest request body. */
  readonly maxBytes: number;
  /** Requests being uploaded, waiting or read at once; the next one is told to come again. */
  readonly places: number;
  /** Longest wait for the one worker to become free. */
  readonly waitMs: number;
  /** Longest time one picture may be read. */
  readonly readMs: number;
  /** How long `close()` lets the picture being read go on. */
  readonly drainMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxBytes: 20 * 1024 * 1024,
  places: 16,
  waitMs: 30_000,
  readMs: 30_000,
  drainMs: 5_000,
};
