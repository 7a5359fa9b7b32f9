import { availableParallelism } from "node:os";
import { KnownSources } from "./known-sources.ts";
import { RecentLogins } from "./recent-logins.ts";

const CORES = availableParallelism();
/** Hashes at once per instance: each takes a core for 20 ms and 19 MiB. On a single core a second one would only be in the way. */
const SLOTS = Math.min(2, CORES);
/** Of these for sources without a good login: they leave a core to calls, and on two cores a slot to whoever is known. */
const SLOTS_OF_STRANGERS = Math.min(SLOTS, Math.max(1, CORES - 1));
/** Waiting ones: at 20 ms a hash and one at once the last waits 2.6 s. */
const QUEUE = 128;
/** Whoever others go before for so long is told to come back, milliseconds. */
const LONGEST_WAIT_MS = 5_000;
/** Every so many turns a stranger goes before those that are known: no crowd of these can keep newcomers out. */
const TURN_OF_STRANGERS = 4;

/** Whose login it is. */
export interface Applicant {
  /** As `Callers.sourceOf` says it. */
  readonly source: string;
  /** Of those with the same one, one at a time gets a slot. */
  readonly account: string;
  /** Nobody waits for the answer any more. */
  readonly isGone: () => boolean;
}

interface Waiting extends Applicant {
  /** Of the source's networks, in {@link RecentLogins}. */
  readonly cells: readonly number[];
  readonly since: number;
  readonly start: () => Promise<void>;
  readonly turnAway: () => void;
  isStranger: boolean;
}

/**
 * Keeps a burst of logins from taking the processor away from calls, and strangers from crowding out clients. Sources
 * that had a good login lately come first; among the others, and among these, whose networks asked for least lately. When
 * the queue is full, whoever would be last has to go. What is remembered for it is of bounded size, whatever is sent.
 */
export class HashSlots {
  readonly #now: () => number;
  readonly #known = new KnownSources();
  readonly #recent = new RecentLogins();
  #waiting: Waiting[] = [];
  readonly #working: Waiting[] = [];
  #turns = 0;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @returns undefined when others go before; the work was not begun */
  run<T>(applicant: Applicant, work: () => Promise<T>): Promise<T | undefined> {
    return new Promise((settle, fail) => {
      const now = this.#now();
      const { source, account, isGone } = applicant;
      this.#waiting.push({
        source,
        account,
        isGone,
        cells: this.#recent.note(source, now),
        since: now,
        start: () => work().then(settle, fail),
        turnAway: () => settle(undefined),
        isStranger: true,
      });
      this.#fill();
      if (this.#waiting.length > QUEUE) this.#turnAwayLast();
    });
  }

  /** A right password came from there: from now on it goes before strangers. */
  noteGoodLogin(source: string, clientId: string): void {
    this.#known.note(source, clientId, this.#now());
  }

  #fill(): void {
    while (this.#working.length < SLOTS && this.#waiting.length > 0) {
      const next = this.#next();
      if (next === undefined) return;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      this.#working.push(next);
      void next.start().finally(() => {
        this.#working.splice(this.#working.indexOf(next), 1);
        this.#fill();
      });
    }
  }

  /** Who gets the free slot; undefined while nobody who waits may have it. */
  #next(): Waiting | undefined {
    this.#forgetLate();
    const strangersAtWork = this.#working.filter(({ isStranger }) => isStranger).length;
    const strangersFirst = this.#turns % TURN_OF_STRANGERS === TURN_OF_STRANGERS - 1;
    let best: Waiting | undefined;
    let bestDemand = 0;
    for (const one of this.#waiting) {
      if (one.isStranger && strangersAtWork >= SLOTS_OF_STRANGERS) continue;
      // A right password that is still being checked must not count against the next one.
      if (this.#working.some(({ account }) => account === one.account)) continue;
      const demand = this.#recent.demandOf(one.cells);
      const isBetter =
        best === undefined ||
        (one.isStranger === best.isStranger ? demand < bestDemand : one.isStranger === strangersFirst);
      if (!isBetter) continue;
      best = one;
      bestDemand = demand;
    }
    if (best !== undefined) this.#turns += 1;
    return best;
  }

  #turnAwayLast(): void {
    this.#forgetLate();
    if (this.#waiting.length <= QUEUE) return;
    let last: Waiting | undefined;
    let lastDemand = 0;
    for (const one of this.#waiting) {
      const demand = this.#recent.demandOf(one.cells);
      const isWorse =
        last === undefined || (one.isStranger === last.isStranger ? demand >= lastDemand : one.isStranger);
      if (!isWorse) continue;
      last = one;
      lastDemand = demand;
    }
    if (last === undefined) return;
    this.#waiting.splice(this.#waiting.indexOf(last), 1);
    last.turnAway();
  }

  /** Whose client has left, and who has waited long enough; and who is known by now. */
  #forgetLate(): void {
    const now = this.#now();
    this.#waiting = this.#waiting.filter((one) => {
      one.isStranger = !this.#known.has(one.source, now);
      const stays = now - one.since < LONGEST_WAIT_MS && !one.isGone();
      if (!stays) one.turnAway();
      return stays;
    });
  }
}
