import { LineKeeper, type LineKeeperOptions } from "./line-keeper.ts";
import {
  addTicket,
  allOf,
  type Line,
  newLine,
  othersWait,
  type QueuedCall,
  type QueueTerms,
  type Ticket,
} from "./queue-line.ts";
import { EMPTY_QUEUE, slotsIn, waitingIn } from "./queue-record.ts";
import { Turns } from "./turns.ts";

export type FairQueueOptions = LineKeeperOptions;

/** What waits and what runs of one service at this gateway. */
export interface QueueStanding {
  readonly waiting: number;
  /** How long the call has waited that waits longest, milliseconds. */
  readonly oldestMs: number;
  readonly running: number;
}

/** How often lines are looked at in which something waits or is held: so late it is seen that a slot was given. */
const TICK_MS = 10;
/** An engine behind a network is asked less often. */
const REMOTE_LOOK_MS = 25;
/** Nobody takes a slot without asking who has not seen for so long that nobody waits elsewhere. */
const FRESH_MS = 100;
/** A gateway says so often that it is there: three answers may be late before what it has lapses. */
const RENEW_MS = 1_000;
/** How often it is looked who has waited for too long. */
const EXPIRE_MS = 50;
/** When nothing is known of how long a call takes. */
const USUAL_HOLD_MS = 1_000;
const NOTHING: QueueStanding = { waiting: 0, oldestMs: 0, running: 0 };

/**
 * The slots of services, over all gateways that share the store: at most so many calls are with a service at once, and
 * the others wait in turn over clients; see withTurns. Slots are leases in one record a service, written by
 * compare-and-set: whoever writes gives free ones to those whose turn it is, and a gateway of which calls wait looks
 * several times a second for what it was given. A slot that nobody waits for stays where it was for a second, as long as
 * there is another one, so that a service with few calls costs no store call each.
 *
 * While the store is away each gateway goes on with its share of the slots, and does not take what others may still have
 * until their leases are over; so with calls shorter than a lease there are never more at a service than it takes. A
 * gateway that alone is cut off from the store does the same, as it cannot know: then there may be its share more.
 */
export class FairQueue {
  readonly #options: FairQueueOptions;
  readonly #id: string;
  readonly #lines = new Map<string, Line>();
  readonly #turns: Turns;
  readonly #keeper: LineKeeper;
  #timer: NodeJS.Timeout | undefined;
  #expireAt = 0;
  #isClosed = false;

  constructor(options: FairQueueOptions) {
    this.#options = options;
    this.#id = options.holder;
    this.#turns = new Turns(options.onError);
    this.#keeper = new LineKeeper(options, this.#turns);
  }

  /** Asks for a slot. Whoever has one, or waits for one, calls {@link leave} once, in the end. */
  enter(terms: QueueTerms, call: QueuedCall): Ticket {
    const line = this.#lineOf(terms);
    const at = this.#now();
    const ticket: Ticket = {
      call,
      line,
      at,
      endedAt: at,
      state: "waits",
      why: undefined,
      isAtOnce: false,
      isEntering: true,
      written: 0,
    };
    if (this.#isClosed) this.#turns.refuse(ticket, "closing", at);
    else if (this.#mayTake(line, at)) this.#turns.start(ticket, at);
    else {
      addTicket(ticket);
      // While it is known that there is none, all that come until the next look ask together.
      if (this.#isKnownFull(line, at)) line.isChanged = true;
      else this.#keeper.sync(line);
    }
    ticket.isEntering = false;
    this.#awake();
    return ticket;
  }

  /** It does not want a slot any more, or needs it no longer. The second time nothing happens. */
  leave(ticket: Ticket): void {
    const { line } = ticket;
    if (ticket.state === "waits") {
      this.#turns.leave(ticket, this.#now());
    } else if (ticket.state === "has_slot") {
      ticket.state = "left";
      const now = this.#now();
      line.running -= 1;
      line.begun.delete(ticket);
      line.lastUse = now;
      line.holds.push(now - ticket.endedAt);
      if (line.holds.length > 20) line.holds.shift();
      if (line.held - line.running > this.#keeper.keepable(line, now)) this.#keeper.sync(line);
      else if (now - line.lookedAt >= FRESH_MS / 2) this.#keeper.look(line);
    }
  }

  /** How long it takes, as calls took their time, until one that came now would have its turn; milliseconds. */
  waitFor({ key, concurrency }: QueueTerms): number {
    const line = this.#lines.get(key);
    const { record = EMPTY_QUEUE, count = 0 } = line ?? {};
    const waiting = waitingIn(record, this.#id) + count;
    return ((waiting + 1) * (record.holdMs || this.#longest(line))) / concurrency;
  }

  /** As long as no call has ended, one takes as long as the first has been under way, if not longer. */
  #longest(line: Line | undefined): number {
    for (const { endedAt } of line?.begun ?? []) return Math.max(USUAL_HOLD_MS, this.#now() - endedAt);
    return USUAL_HOLD_MS;
  }

  standingOf({ key }: Pick<QueueTerms, "key">): QueueStanding {
    const line = this.#lines.get(key);
    if (line === undefined) return NOTHING;
    const now = this.#now();
    let oldest = now;
    for (const [first] of line.waiting.values()) if (first !== undefined) oldest = Math.min(oldest, first.at);
    return { waiting: line.count, oldestMs: now - oldest, running: line.running };
  }

  /** Services may have changed. @param termsOf undefined: all of its calls may go there at once */
  follow(termsOf: (key: string) => QueueTerms | undefined): void {
    const now = this.#now();
    for (const [key, line] of this.#lines) {
      const terms = termsOf(key);
      line.isOff = terms === undefined;
      line.terms = terms ?? line.terms;
      line.isChanged = true;
      if (terms === undefined) for (const ticket of allOf(line)) this.#turns.start(ticket, now);
    }
    this.#turns.tell();
  }

  /** Refuses those that may not wait any more. */
  review(): void {
    const now = this.#now();
    for (const line of this.#lines.values()) {
      for (const ticket of allOf(line)) if (!ticket.call.mayWait()) this.#turns.refuse(ticket, "ended", now);
    }
    this.#turns.tell();
  }

  /** Nobody waits any longer. */
  refuseAll(): void {
    const now = this.#now();
    for (const line of this.#lines.values()) {
      for (const ticket of allOf(line)) this.#turns.refuse(ticket, "closing", now);
    }
    this.#turns.tell();
  }

  /** Gives everything back. Best effort: a store that is away is left. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.refuseAll();
    for (const line of this.#lines.values()) {
      while (line.isBusy) await line.turn;
      line.running = 0;
      line.begun.clear();
      line.lastUse = Number.NEGATIVE_INFINITY;
      if (line.held > 0 || line.record.holders[this.#id] !== undefined) this.#keeper.sync(line);
      while (line.isBusy) await line.turn;
    }
    this.#lines.clear();
    this.#keeper.end();
  }

  #now(): number {
    return this.#options.store.steadyNow();
  }

  #lineOf(terms: QueueTerms): Line {
    const known = this.#lines.get(terms.key);
    if (known !== undefined) {
      known.terms = terms;
      known.isOff = false;
      return known;
    }
    const line = newLine(terms);
    this.#lines.set(terms.key, line);
    return line;
  }

  /** Whether a slot is here that nobody has a better right to. */
  #mayTake(line: Line, now: number): boolean {
    const hasIdle = (): boolean =>
      !line.isBusy && line.count === 0 && line.running < line.held && now < line.until && !othersWait(line, this.#id);
    if (!hasIdle() || this.#keeper.isAlone(now) || line.held > line.terms.concurrency) return false;
    if (now - line.lookedAt < FRESH_MS) return true;
    if (this.#keeper.isRemote) return false;
    this.#keeper.look(line);
    return hasIdle();
  }

  #isKnownFull(line: Line, now: number): boolean {
    const isFresh = now - line.lookedAt < FRESH_MS && line.wroteAt > Number.NEGATIVE_INFINITY;
    return isFresh && slotsIn(line.record) >= line.terms.concurrency && line.running >= line.held;
  }

  #awake(): void {
    if (this.#timer === undefined && !this.#isClosed) this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const now = this.#now();
    if (now >= this.#expireAt) this.#refuseLate(now);
    for (const [key, line] of this.#lines) {
      if (line.isBusy) continue;
      if (this.#isOver(line)) this.#lines.delete(key);
      else this.#lookAfter(line, now);
    }
    this.#turns.tell();
    if (this.#lines.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** O(calls that wait). */
  #refuseLate(now: number): void {
    this.#expireAt = now + EXPIRE_MS;
    for (const line of this.#lines.values()) {
      for (const ticket of allOf(line)) {
        if (now - ticket.at >= (ticket.call.waitMs ?? line.terms.waitMs)) this.#turns.refuse(ticket, "too_long", now);
      }
    }
  }

  /** Whether nothing of it is here any more. */
  #isOver(line: Line): boolean {
    const isEmpty = line.count === 0 && line.running === 0 && line.held === 0 && !line.isChanged;
    return isEmpty && line.record.holders[this.#id] === undefined;
  }

  #lookAfter(line: Line, now: number): void {
    const idle = line.held - line.running;
    const isIdle = line.running === 0 && line.count === 0 && idle === 0;
    const isSpare = idle > this.#keeper.keepable(line, now);
    const isDue = line.isChanged || isIdle || isSpare || now - line.wroteAt >= RENEW_MS;
    if (isDue || this.#keeper.isAway(now)) this.#keeper.sync(line);
    else if (
      (line.count > 0 || idle > 0) &&
      now - line.lookedAt >= (this.#keeper.isRemote ? REMOTE_LOOK_MS : TICK_MS)
    ) {
      this.#keeper.look(line);
    }
  }
}
