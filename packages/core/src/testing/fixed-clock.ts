import type { Clock } from "../clock.ts";

/** A clock that stands still until it is told to move. */
export class FixedClock implements Clock {
  #wall: number;
  #monotonic: number;

  /** @param wall milliseconds since the epoch; @param monotonic milliseconds since boot */
  constructor(wall: number = Date.UTC(2027, 0, 15, 12), monotonic = 1_000_000) {
    this.#wall = wall;
    this.#monotonic = monotonic;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Time passes. */
  advance(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
  }

  /** Somebody sets the wall clock; no time passes. */
  setWall(at: number): void {
    this.#wall = at;
  }
}
