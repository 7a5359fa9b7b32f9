import { setTimeout as delay } from "node:timers/promises";
import { isAigwError, isStoreFault } from "../errors.ts";
import { inTime, isSilence, REQUEST_PATIENCE_MS } from "./in-time.ts";
import type { MaybePromise } from "./store.ts";

/** While others hold the store's lock, a call waits so long; many gateways on one store are no outage. */
const LOCK_PATIENCE_MS = 250;
const LOCK_RETRY_MS = 5;
/** Then, and after any other store fault, the store is not asked again for so long. */
const STORE_RETRY_MS = 1_000;
/**
 * So long after the store is back others may not have written what they admitted alone: it is a second until they ask
 * again, and their way to the store may be back later.
 */
const SETTLE_MS = 3_000;

/** Whose calls go one after the other. */
export interface Turns {
  /** A call is under way until it is settled; it never rejects. */
  turn: Promise<unknown> | undefined;
}

/** Store calls that requests wait for: bounded, and none for a while once the store turned out to be away. */
export class PatientCalls {
  readonly #steadyNow: () => number;
  /** The last call found it away. */
  isAway = false;
  /** Steady milliseconds: what can be done without the store is done without it until then. */
  awayUntil = 0;
  /** Steady milliseconds: others may have admitted until then what the store does not have yet. */
  settledAt = 0;
  /** When the last fault came, steady milliseconds: what was known before may be out of date. */
  faultAt: number = Number.NEGATIVE_INFINITY;
  /** A store that did not answer is not asked before it, not even to read: every caller would wait as long again. */
  #silentUntil = 0;
  #isLooking = false;
  /** One call finds out for all when the lock is free: every try blocks the thread for the busy timeout. */
  #lockFree: Promise<void> | undefined;

  constructor(steadyNow: () => number) {
    this.#steadyNow = steadyNow;
  }

  /** Whether others may have admitted what the store does not have yet. */
  isSettling(now: number): boolean {
    return this.settledAt > now;
  }

  /** It did not answer a moment ago, and is not asked. */
  isSilent(): boolean {
    if (this.#silentUntil === 0) return false;
    if (this.#steadyNow() < this.#silentUntil) return true;
    this.#silentUntil = 0;
    return false;
  }

  /**
   * Finds out whether a store that did not answer can be read all the same, as a primary can before the other members
   * follow it. Nobody waits for it.
   */
  async lookAgain(read: () => MaybePromise<unknown>): Promise<void> {
    if (this.#isLooking || !this.isSilent()) return;
    this.#isLooking = true;
    try {
      await inTime(read(), REQUEST_PATIENCE_MS);
      this.#silentUntil = 0;
    } catch {
      // It stays silent until it is asked again.
    } finally {
      this.#isLooking = false;
    }
  }

  /** Runs one call; holds others of these turns back while it is under way; takes a store fault as "away". */
  run<A, T>(
    turns: Turns,
    call: () => MaybePromise<A>,
    then: (answer: A) => MaybePromise<T>,
    onFault: () => MaybePromise<T>,
  ): MaybePromise<T> {
    const done = (answer: A): MaybePromise<T> => {
      this.isAway = false;
      return then(answer);
    };
    const fault = (error: unknown): MaybePromise<T> => {
      if (!isStoreFault(error)) throw error;
      this.isAway = true;
      this.faultAt = this.#steadyNow();
      this.awayUntil = this.faultAt + STORE_RETRY_MS;
      this.settledAt = this.awayUntil + SETTLE_MS;
      if (isSilence(error)) this.#silentUntil = this.awayUntil;
      return onFault();
    };
    if (this.isSilent()) return onFault();
    let answer: MaybePromise<A>;
    try {
      answer = inTime(this.#lockFree === undefined ? call() : this.#lockFree.then(call), REQUEST_PATIENCE_MS);
    } catch (error) {
      if (this.isAway || !isAigwError(error, "store_locked")) return fault(error);
      const waiting = this.#waitForLock(call);
      answer = inTime(waiting, REQUEST_PATIENCE_MS);
      this.#lockFree = waiting
        .then(() => undefined)
        .finally(() => {
          this.#lockFree = undefined;
        });
      this.#lockFree.catch(() => undefined);
    }
    if (!(answer instanceof Promise)) return done(answer);
    const turn = answer.finally(() => {
      turns.turn = undefined;
    });
    turns.turn = turn.catch(() => undefined);
    return turn.then(done, fault);
  }

  async #waitForLock<A>(call: () => MaybePromise<A>): Promise<A> {
    const end = performance.now() + LOCK_PATIENCE_MS;
    for (;;) {
      await delay(LOCK_RETRY_MS);
      try {
        return await inTime(call(), REQUEST_PATIENCE_MS);
      } catch (error) {
        if (!isAigwError(error, "store_locked") || performance.now() > end) throw error;
      }
    }
  }
}
