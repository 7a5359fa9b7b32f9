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
