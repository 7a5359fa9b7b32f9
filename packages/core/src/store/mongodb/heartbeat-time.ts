import { type Clock, systemClock } from "../../clock.ts";
import type { StoreTime } from "./store-time.ts";

/**
 * How much slower than this machine's clock the store's time may run in order to wait for the server's: more than two
 * clocks that are kept by NTP differ.
 */
const SLEW = 0.000_5;

/**
 * The server's clock, as its heartbeats tell it. What a heartbeat says was true when it was sent, so the clock read from
 * it is late by its way here, never early: of all heartbeats the one that was fastest is the truest, and every gateway is
 * behind the server by its shortest way to it. Between two of them, and while there are none, this machine's monotonic
 * clock goes on.
 *
 * It follows a server's clock that is set forward at once. One that is set back, as after a failover to a machine that is
 * behind, it waits for by running slower, so that nothing ever goes back or stands still.
 */
export class HeartbeatTime implements StoreTime {
  readonly #clock: Clock;
  #offset = Number.NEGATIVE_INFINITY;
  #heardAt = 0;
  #last = Number.NEGATIVE_INFINITY;

  /** @param clock the monotonic one is used */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** A heartbeat has come. @param serverTime the server's wall clock when it answered, milliseconds since the epoch */
  hear(serverTime: number): void {
    const now = this.#clock.monotonic();
    const slowest = this.#offset - (now - this.#heardAt) * SLEW;
    this.#offset = Math.max(serverTime - now, slowest);
    this.#heardAt = now;
  }

  get isKnown(): boolean {
    return this.#offset !== Number.NEGATIVE_INFINITY;
  }

  /** Somebody's time was this already. */
  reach(steady: number): void {
    this.#offset = Math.max(this.#offset, steady - this.#clock.monotonic());
  }

  /** @throws Error before the first heartbeat */
  now(): number {
    this.#last = Math.max(this.#last, this.#clock.monotonic() + this.#offset);
    if (this.#last === Number.NEGATIVE_INFINITY) throw new Error("no heartbeat has come yet");
    return this.#last;
  }
}
