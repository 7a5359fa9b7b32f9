import { setTimeout as delay } from "node:timers/promises";
import type { MaybePromise, TokenIssue, TrafficStore, UsageEvent } from "@aigw/core";
import type { UsageSpool } from "@aigw/core/spool";
import { inTime, WORK_PATIENCE_MS } from "@aigw/core/store";
import type { UsageSealer } from "@aigw/core/usage";

const LOOK_MS = 25;
/** With one look more, the most that a kill may cost; a store that is busy for a moment has as much again to take them. */
const LONGEST_HELD_MS = 60;
/** Stored at once: calls wait for half a millisecond. Fewer cost more each, by the pages that every commit writes again. */
const ENOUGH_EVENTS = 100;
/** At the end somebody else may hold the lock; what is not stored then is lost. */
const LAST_FLUSH_MS = 5_000;
const BATCH = 500;
/**
 * A store that is locked costs the thread its busy timeout at every try, so the tries become rarer, up to this. The
 * first are soon: somebody else's short write must not hold events back for longer than a kill may cost.
 */
const LONGEST_RETRY_MS = 500;
/** What the store has not taken by then goes to the disk, where there is a spool: a kill may cost no more. */
const SPOOL_AFTER_MS = 150;
/** How often it is looked whether another gateway has ended and left something behind. */
const ADOPT_MS = 30_000;
/** While the store cannot take events, so many are held in memory; about 5 MB. */
export const HELD_EVENTS = 10_000;

export interface RecorderOptions {
  readonly traffic: TrafficStore;
  readonly onFault: (error: unknown, held: number) => void;
  readonly onRecovered: (dropped: number) => void;
  /** Everything that had gathered was stored, in so many milliseconds. */
  readonly onFlushed?: (ms: number) => void;
  /** Takes events while the store does not, and outlives this process. The recorder closes it. */
  readonly spool?: UsageSpool | undefined;
  /** Proves what is stored; its events are the gateway's, each once and in the order of their numbers. */
  readonly sealer?: Pick<UsageSealer, "seal"> | undefined;
}

/**
 * Takes usage off the request's path: an event costs a request one push, and a timer stores what has gathered in one
 * batch. A batch that failed is tried again as it is: every event has a unique id, so a repetition changes nothing.
 */
export class UsageRecorder {
  readonly #options: RecorderOptions;
  #events: UsageEvent[] = [];
  #issues: TokenIssue[] = [];
  #dropped = 0;
  #faulty = false;
  #retryAt = 0;
  /** Since when something waits to be stored; Infinity: nothing does. */
  #heldSince = Number.POSITIVE_INFINITY;
  #faults = 0;
  /** Everything ends by then; Infinity: nobody has asked for that. */
  #closeBy = Number.POSITIVE_INFINITY;
  #flushing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #adoptAt = Number.NEGATIVE_INFINITY;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => {
      const now = performance.now();
      if (now - this.#heldSince >= SPOOL_AFTER_MS) this.#spool();
      if (now >= this.#adoptAt) {
        this.#adoptAt = now + ADOPT_MS;
        this.#options.spool?.adopt();
      }
      const isDue = now - this.#heldSince >= LONGEST_HELD_MS || this.#isSpooled();
      if (now >= this.#retryAt && isDue) void this.flush();
    }, LOOK_MS);
  }

  /** Requests whose events could neither be stored nor held. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Events waiting to be stored, here or on the disk. */
  get held(): number {
    return this.#events.length + (this.#options.spool?.events ?? 0);
  }

  record(event: UsageEvent): void {
    if (this.#events.length >= HELD_EVENTS) this.#spool();
    if (this.#events.length >= HELD_EVENTS) {
      this.#dropped += event.count ?? 1;
      return;
    }
    const held = this.#events.push(event);
    this.#hold();
    // After the calls that came in with this one.
    if (held === ENOUGH_EVENTS && !this.#faulty) setImmediate(() => void this.flush());
  }

  /** Best known by who asks before a rotation: an issue that cannot be stored is forgotten with the process. */
  noteToken(issue: TokenIssue): void {
    if (this.#issues.length < HELD_EVENTS) this.#issues.push(issue);
    this.#hold();
  }

  #hold(): void {
    if (this.#heldSince === Number.POSITIVE_INFINITY) this.#heldSince = performance.now();
  }

  /** Puts what is held on the disk. What is on its way to the store goes there as well: nobody knows how that ends. */
  #spool(): void {
    const { spool } = this.#options;
    if (spool === undefined) return;
    while (this.#events.length > 0) {
      const batch = this.#nextBatch(BATCH);
      if (!spool.append(batch)) return;
      this.#events = this.#events.slice(batch.length);
    }
    if (this.#issues.length === 0) this.#heldSince = Number.POSITIVE_INFINITY;
  }

  /** The next ones, sealed: also those whose seal the store did not take, as they were then. */
  #nextBatch(most: number): readonly UsageEvent[] {
    const { sealer } = this.#options;
    if (sealer === undefined) return this.#events.slice(0, most);
    const sealed = this.#events.slice(0, BATCH).findIndex(({ seal }) => seal !== undefined);
    if (sealed >= 0) return this.#events.slice(0, sealed + 1);
    const batch = this.#events.slice(0, most);
    const last = sealer.seal(batch);
    this.#events[batch.length - 1] = last;
    return [...batch.slice(0, -1), last];
  }

  #isSpooled(): boolean {
    return this.#options.spool?.isWaiting === true;
  }

  /** Stores everything gathered so far, as far as the store takes it. */
  flush(): Promise<void> {
    this.#flushing ??= this.#store().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  /** Stops and stores the rest, in 5 s at most. @returns how many requests were lost in all */
  async close(): Promise<number> {
    clearInterval(this.#timer);
    this.#closeBy = performance.now() + LAST_FLUSH_MS;
    await this.#flushing;
    await this.flush();
    // Nobody has to wait for a store that is away when the next gateway finds all of it on the disk.
    if (this.#faulty) this.#spool();
    while (
      (this.#events.length > 0 || (this.#issues.length > 0 && !this.#isSpooled())) &&
      performance.now() < this.#closeBy
    ) {
      await delay(LOOK_MS);
      await this.flush();
      if (this.#faulty) this.#spool();
    }
    this.#options.spool?.close();
    for (const { count = 1 } of this.#events) this.#dropped += count;
    this.#events = [];
    return this.#dropped;
  }

  async #store(): Promise<void> {
    const started = performance.now();
    try {
      await this.#storeSpooled();
      // Those that are there now: with a store that takes its time, others come as fast.
      for (let left = this.#events.length; left > 0 && this.#events.length > 0; ) {
        const batch = this.#nextBatch(Math.min(BATCH, left));
        await this.#answered(this.#options.traffic.recordUsage(batch));
        // Unless they went to the disk meanwhile: from there they are stored once more, which changes nothing.
        if (this.#events[0] === batch[0]) this.#events = this.#events.slice(batch.length);
        left -= batch.length;
      }
      if (this.#issues.length > 0) {
        const issues = [...this.#issues];
        await this.#answered(this.#options.traffic.recordTokens(issues));
        this.#issues = this.#issues.slice(issues.length);
      }
      this.#heldSince = Number.POSITIVE_INFINITY;
      // What came meanwhile, with a store that takes its time.
      if (this.#events.length > 0 || this.#issues.length > 0) this.#hold();
      this.#options.onFlushed?.(performance.now() - started);
      if (this.#faulty) this.#options.onRecovered(this.#dropped);
      this.#faulty = false;
      this.#faults = 0;
    } catch (error) {
      if (!this.#faulty) this.#options.onFault(error, this.held);
      this.#faulty = true;
      this.#faults += 1;
      this.#retryAt = performance.now() + Math.min(LONGEST_RETRY_MS, LOOK_MS * 2 ** (this.#faults - 2));
    }
  }

  /** The oldest first. */
  async #storeSpooled(): Promise<void> {
    const { spool, traffic } = this.#options;
    for (let spooled = spool?.next(); spooled !== undefined; spooled = spool?.next()) {
      await this.#answered(traffic.recordUsage(spooled.events));
      spooled.done();
    }
  }

  #answered(answer: MaybePromise<void>): MaybePromise<void> {
    return inTime(answer, Math.max(1, Math.min(WORK_PATIENCE_MS, this.#closeBy - performance.now())));
  }
}
