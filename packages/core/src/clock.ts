import { hrtime } from "node:process";

/** Time as a seam: tests hand in their own. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. Jumps when somebody sets the clock. */
  now(): number;
  /** Milliseconds since an arbitrary point before boot, never going back, the same for all processes of one boot. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => {
    const [seconds, nanoseconds] = hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
};

/**
 * A wall clock that does not follow jumps: the time at its creation plus the monotonic time since. Tokens are judged by
 * it, so that setting the clock forward logs nobody out and setting it back revives nothing.
 */
export const steadyWallClock = (clock: Clock): (() => number) => {
  const offset = clock.now() - clock.monotonic();
  return () => offset + clock.monotonic();
};
