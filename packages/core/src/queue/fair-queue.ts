import { partOf, type Share, WHOLE } from "../limits/share.ts";
import { PatientCalls } from "../store/patient-calls.ts";
import type { MaybePromise, TrafficStore, VersionedQueue } from "../store/store.ts";
import { makeRoom } from "./make-room.ts";
import {
  addTicket,
  hasJoining,
  heldElsewhere,
  holderOf,
  isIn,
  type Line,
  newLine,
  othersWait,
  type QueuedCall,
  type QueueRefusal,
  type QueueTerms,
  removeTicket,
  type Ticket,
} from "./queue-line.ts";
import {
  EMPTY_QUEUE,
  LEASE_MS,
  type QueueRecord,
  slotsIn,
  turnsBefore,
  waitingIn,
  withHold,
  withoutLapsed,
  withTurns,
} from "./queue-record.ts";

export interface FairQueueOptions {
  readonly store: Pick<TrafficStore, "steadyNow" | "queueRecord" | "setQueueRecord">;
  /** The instance's id. */
  readonly holder: string;
  /** Asked while the store is away: this gateway's part of the slots; all of them unless given. */
  readonly share?: () => Share;
  /** A record that cannot be read, or a call that threw in its turn. */
  readonly onError: (error: unknown) => void;
}

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
/** A slot stays here for so long after its last call while nobody else waits. */
const KEEP_MS = 1_000;
/** When nothing is known of how long a call takes. */
const USUAL_HOLD_MS = 1_000;
const NOTHING: QueueStanding = { waiting: 0, oldestMs: 0, running: 0 };

/**
 * The slots of services, over all gateways that share the store: at most so many calls are with a service at once, and
 * the others wait in turn over clients; see withTurns. Slots are leases in one record a service, written by
 * compare-and-set: whoever writes gives free ones to those whose turn it is, and a gateway of which calls wait looks
 * several times a second for what it was given. A slot that nobody waits for stays where it was for a second, so that a
 * service with few calls costs no store call each.
 *
 * While the store is away each gateway goes on with its share of the slots, and does not take what others may still have
 * until their leases are over; so with calls shorter than a lease there are never more at a service than it takes.
 */
export class FairQueue {
  readonly #options: FairQueueOptions;
  readonly #id: string;
  readonly #lines = new Map<string, Line>();
  readonly #calls: PatientCalls;
  #timer: NodeJS.Timeout | undefined;
  #isRemote = false;
  #seq = 0;
  #isClosed = false;
  #isEnded = false;
  /** When the store was away first, if it still is; steady milliseconds. */
  #awaySince: number | undefined;
  /** What is to be told of, once all is as it is told. */
  readonly #news: Ticket[] = [];
  #isTelling = false;

  constructor(options: FairQueueOptions) {
    this.#options = options;
    this.#id = options.holder;
    this.#calls = new PatientCalls(() => options.store.steadyNow());
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
    if (this.#isClosed) this.#refuse(ticket, "closing");
    else if (this.#mayTake(line, at)) this.#start(ticket, at);
    else {
      addTicket(ticket);
      // While it is known that there is none, all that come until the next look ask together.
      if (this.#isKnownFull(line, at)) line.isChanged = true;
      else this.#sync(line);
    }
    ticket.isEntering = false;
    this.#awake();
    return ticket;
  }

  /** It does not want a slot any more, or needs it no longer. The second time nothing happens. */
  leave(ticket: Ticket): void {
    const { line } = ticket;
    if (ticket.state === "waits") {
      ticket.state = "left";
      ticket.endedAt = this.#now();
      if (removeTicket(ticket)) this.#withdraw(ticket);
    } else if (ticket.state === "has_slot") {
      ticket.state = "left";
      const now = this.#now();
      line.running -= 1;
      line.lastUse = now;
      line.holds.push(now - ticket.endedAt);
      if (line.holds.length > 20) line.holds.shift();
      if (line.count > 0 || othersWait(line, this.#id)) this.#sync(line);
      else if (now - line.lookedAt >= FRESH_MS / 2) this.#look(line);
    }
  }

  /** How many calls have their turn before it and with it, as far as is known: 1 for the next. 0 when it does not wait. */
  placeOf(ticket: Ticket): number {
    const { line, call } = ticket;
    const before = line.waiting.get(call.client)?.indexOf(ticket) ?? -1;
    if (ticket.state !== "waits" || before < 0) return 0;
    const holder = holderOf(line, 0, Number.POSITIVE_INFINITY);
    const record = { ...line.record, holders: { ...line.record.holders, [this.#id]: holder } };
    return 1 + turnsBefore(record, call.client, before);
  }

  /** How long it takes, as calls took their time, until one that came now would have its turn; milliseconds. */
  waitFor({ key, concurrency }: QueueTerms): number {
    const line = this.#lines.get(key);
    const { record = EMPTY_QUEUE, count = 0 } = line ?? {};
    const waiting = Math.max(count, waitingIn(record, this.#id) + count);
    return ((waiting + 1) * (record.holdMs || USUAL_HOLD_MS)) / concurrency;
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
      if (terms === undefined) for (const ticket of allOf(line)) this.#start(ticket, now);
    }
    this.#tell();
  }

  /** Refuses those that may not wait any more. */
  review(): void {
    for (const line of this.#lines.values()) {
      for (const ticket of allOf(line)) if (!ticket.call.mayWait()) this.#refuseWaiting(ticket, "ended");
    }
    this.#tell();
  }

  /** Nobody waits any longer. */
  refuseAll(): void {
    for (const line of this.#lines.values()) {
      for (const ticket of allOf(line)) this.#refuseWaiting(ticket, "closing");
    }
    this.#tell();
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
      line.lastUse = Number.NEGATIVE_INFINITY;
      if (line.held > 0 || line.record.holders[this.#id] !== undefined) this.#sync(line);
      while (line.isBusy) await line.turn;
    }
    this.#lines.clear();
    this.#isEnded = true;
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
    if (!hasIdle() || this.#isAlone(now) || line.held > line.terms.concurrency) return false;
    if (now - line.lookedAt < FRESH_MS) return true;
    if (this.#isRemote) return false;
    this.#look(line);
    return hasIdle();
  }

  #isKnownFull(line: Line, now: number): boolean {
    const isFresh = now - line.lookedAt < FRESH_MS && line.wroteAt > Number.NEGATIVE_INFINITY;
    return isFresh && slotsIn(line.record) >= line.terms.concurrency && line.running >= line.held;
  }

  /** The store is away, or others may not have told it yet what they did while it was. */
  #isAlone(now: number): boolean {
    return this.#calls.awayUntil > now || this.#calls.isSettling(now);
  }

  #awake(): void {
    if (this.#timer === undefined && !this.#isClosed) this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const now = this.#now();
    if (!this.#isAlone(now)) this.#awaySince = undefined;
    for (const [key, line] of this.#lines) {
      for (const ticket of allOf(line)) {
        if (now - ticket.at >= (ticket.call.waitMs ?? line.terms.waitMs)) this.#refuseWaiting(ticket, "too_long");
      }
      if (line.isBusy) continue;
      if (this.#isOver(line)) this.#lines.delete(key);
      else this.#lookAfter(line, now);
    }
    this.#tell();
    if (this.#lines.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Whether nothing of it is here any more. */
  #isOver(line: Line): boolean {
    const isEmpty = line.count === 0 && line.running === 0 && line.held === 0 && !line.isChanged;
    return isEmpty && line.record.holders[this.#id] === undefined;
  }

  #lookAfter(line: Line, now: number): void {
    const idle = line.held - line.running;
    const isIdle = line.running === 0 && line.count === 0 && idle === 0;
    const isSpare = idle > 0 && (now - line.lastUse >= KEEP_MS || line.isOff);
    const isDue = line.isChanged || isIdle || isSpare || now - line.wroteAt >= RENEW_MS;
    if (isDue || this.#calls.awayUntil > now) this.#sync(line);
    else if ((line.count > 0 || idle > 0) && now - line.lookedAt >= (this.#isRemote ? REMOTE_LOOK_MS : TICK_MS)) {
      this.#look(line);
    }
  }

  /** Brings the record and this gateway together. */
  #sync(line: Line): void {
    if (this.#isEnded) return;
    if (line.isBusy) {
      line.isDue = true;
      return;
    }
    line.isChanged = false;
    if (this.#calls.awayUntil > this.#now()) this.#goOnAlone(line);
    else {
      this.#guarded(line, () =>
        line.mustRead || !this.#isRemote ? this.#read(line, () => this.#write(line)) : this.#write(line),
      );
    }
    this.#tell();
  }

  /** Sees what others have done; writes only what that asks for. */
  #look(line: Line): void {
    if (line.isBusy || this.#isEnded || this.#calls.awayUntil > this.#now()) return;
    this.#guarded(line, () => this.#read(line, () => (this.#mustWrite(line) ? this.#write(line) : undefined)));
    this.#tell();
  }

  #guarded(line: Line, work: () => MaybePromise<void>): void {
    const failed = (error: unknown): void => {
      line.isBusy = false;
      line.mustRead = true;
      this.#options.onError(error);
      this.#goOnAlone(line);
      this.#tell();
    };
    const done = (): void => {
      line.isBusy = false;
      if (line.isDue) {
        line.isDue = false;
        this.#sync(line);
      }
      this.#tell();
    };
    line.isBusy = true;
    try {
      const answer = work();
      if (answer instanceof Promise) answer.then(done, failed);
      else done();
    } catch (error) {
      failed(error);
    }
  }

  #mustWrite(line: Line): boolean {
    const now = this.#now();
    if (line.isDue || hasJoining(line)) return true;
    if (this.#isAlone(now)) return false;
    if (line.running < line.held && (line.count > 0 || othersWait(line, this.#id))) return true;
    const current = withoutLapsed(line.record, now, this.#id);
    return withTurns(current, line.terms.concurrency) !== current;
  }

  #read(line: Line, then: () => MaybePromise<void>): MaybePromise<void> {
    const asked = this.#now();
    return this.#calls.run(
      line,
      () => {
        const answer = this.#options.store.queueRecord(line.terms.key);
        this.#isRemote = answer instanceof Promise;
        return answer;
      },
      (found) => {
        this.#takeOver(line, found, asked);
        return then();
      },
      () => {
        line.mustRead = true;
        this.#goOnAlone(line);
      },
    );
  }

  #takeOver(line: Line, found: VersionedQueue | undefined, asked: number): void {
    const isNews = line.mustRead || found?.version !== line.version;
    line.lookedAt = asked;
    line.mustRead = false;
    if (!isNews) return;
    const { record, version } = found ?? { record: EMPTY_QUEUE, version: 0 };
    line.record = record;
    line.version = version;
    const own = record.holders[this.#id];
    line.held = own?.slots ?? 0;
    line.until = own?.until ?? 0;
    line.leased = line.held;
    if (own === undefined) {
      // Others took it for dead; whoever waits here has to be told of anew.
      for (const ticket of allOf(line)) ticket.written = 0;
      line.taken.clear();
    } else if (line.inDoubt || line.okSeq === 0) {
      if (line.inDoubt && own.seq === line.seq) line.okSeq = line.seq;
      // What was given in it may have been taken alone meanwhile: with the next write it is given once more.
      line.taken.clear();
      for (const [client, count] of Object.entries(own.given)) line.taken.set(client, count);
    }
    line.inDoubt = false;
    this.#takeGiven(line);
    if (own !== undefined) this.#leavePushedOut(line, own.waiting);
  }

  /** Calls whose turn has come begin. @param written by the write of which this is the outcome */
  #takeGiven(line: Line, written?: number): void {
    const now = this.#now();
    for (const [client, count] of Object.entries(line.record.holders[this.#id]?.given ?? {})) {
      const fresh = count - (line.taken.get(client) ?? 0);
      line.taken.set(client, count);
      for (let left = fresh; left > 0 && line.running < line.held; left -= 1) {
        const ticket = line.waiting.get(client)?.[0];
        // It has left: the slot goes to the next with the next write.
        if (ticket === undefined) line.isChanged = true;
        if (ticket === undefined) break;
        ticket.isAtOnce = ticket.written === written;
        this.#start(ticket, now);
      }
    }
  }

  /** Others have needed the room, see makeRoom. */
  #leavePushedOut(line: Line, waiting: QueueRecord["holders"][string]["waiting"]): void {
    for (const [client, tickets] of line.waiting) {
      const known = tickets.filter(isIn);
      const over = known.length - (waiting[client]?.[0] ?? 0);
      if (over > 0) for (const ticket of known.slice(-over)) this.#refuseWaiting(ticket, "full");
    }
  }

  #write(line: Line): MaybePromise<void> {
    const now = this.#now();
    const { next, refused } = this.#next(line, now);
    return this.#calls.run(
      line,
      () => this.#options.store.setQueueRecord(line.terms.key, line.version, next),
      (ok) => {
        if (!ok) {
          line.mustRead = true;
          return this.#read(line, () => this.#write(line));
        }
        line.version += 1;
        this.#written(line, next, now);
        for (const ticket of refused) this.#refuseWaiting(ticket, "full");
      },
      () => {
        line.inDoubt = true;
        line.mustRead = true;
        this.#goOnAlone(line);
      },
    );
  }

  #next(line: Line, now: number): { readonly next: QueueRecord; readonly refused: readonly Ticket[] } {
    const { concurrency, most } = line.terms;
    const isAlone = this.#isAlone(now);
    let base = isAlone ? line.record : withoutLapsed(line.record, now, this.#id);
    for (const ms of line.holds) base = withHold(base, ms);
    const idle = Math.max(0, line.held - line.running);
    const isWanted = line.count > 0 || waitingIn(base, this.#id) > 0;
    const isKept = !isWanted && !line.isOff && now - line.lastUse < KEEP_MS && line.held <= concurrency;
    const joined = this.#joined(line, base, isKept ? idle : 0, now);
    const next = isAlone ? this.#withOwnTurns(line, joined, now) : withTurns(joined, concurrency);
    return makeRoom(line, this.#id, next, most);
  }

  /** The record with this gateway's own part. */
  #joined(line: Line, base: QueueRecord, idle: number, now: number): QueueRecord {
    // Never twice, also of a line that was forgotten in between.
    this.#seq += 1;
    line.seq = this.#seq;
    for (const ticket of allOf(line)) if (!isIn(ticket)) ticket.written = line.seq;
    const holder = holderOf(line, idle, now + LEASE_MS);
    const { [this.#id]: _before, ...others } = base.holders;
    const isEmpty = holder.slots === 0 && line.count === 0;
    return { ...base, holders: isEmpty ? others : { ...others, [this.#id]: holder } };
  }

  /** Others may have begun calls of which the store does not know: each gives its own, of its share. */
  #withOwnTurns(line: Line, record: QueueRecord, now: number): QueueRecord {
    const { [this.#id]: own, ...others } = record.holders;
    if (own === undefined) return record;
    const given = withTurns({ ...record, holders: { [this.#id]: own } }, this.#ownSlots(line, now));
    return { ...given, holders: { ...others, ...given.holders } };
  }

  /** How many calls may be with the service from here while the store is away, or was a moment ago. */
  #ownSlots(line: Line, now: number): number {
    const { concurrency } = line.terms;
    const share = this.#options.share?.() ?? WHOLE;
    const part = partOf(share, concurrency);
    if (this.#calls.awayUntil <= now) return Math.min(part, concurrency - heldElsewhere(line, this.#id, now));
    // Others may have taken all the rest a moment before, and know it is theirs until their leases are over.
    const isTheirs = share.of > 1 && now - (this.#awaySince ?? now) < LEASE_MS;
    return isTheirs ? Math.min(part, now < line.until ? line.leased : 0) : part;
  }

  #written(line: Line, next: QueueRecord, now: number): void {
    line.record = next;
    line.held = next.holders[this.#id]?.slots ?? 0;
    line.until = next.holders[this.#id]?.until ?? 0;
    line.leased = line.held;
    line.okSeq = line.seq;
    line.inDoubt = false;
    line.wroteAt = now;
    line.lookedAt = now;
    line.holds = [];
    line.taken.clear();
    this.#takeGiven(line, line.seq);
  }

  /** Without the store: this gateway's share of the slots, in turn over the clients that wait here. */
  #goOnAlone(line: Line): void {
    const now = this.#now();
    this.#awaySince ??= now;
    const { most } = line.terms;
    line.held = line.running;
    if (line.count === 0) return;
    const base = this.#joined(line, { ...line.record, holders: {} }, 0, now);
    const share = this.#options.share?.() ?? WHOLE;
    const { next, refused } = makeRoom(
      line,
      this.#id,
      this.#withOwnTurns(line, base, now),
      // One at least, or a call that came a moment too early would not even wait for the store.
      Math.min(most, Math.max(1, partOf(share, most))),
    );
    line.record = { ...line.record, turn: next.turn, ahead: next.ahead };
    for (const ticket of refused) this.#refuseWaiting(ticket, "full");
    for (const [client, count] of Object.entries(next.holders[this.#id]?.given ?? {})) {
      for (const ticket of line.waiting.get(client)?.slice(0, count) ?? []) this.#start(ticket, now);
    }
    line.held = line.running;
  }

  #start(ticket: Ticket, now: number): void {
    removeTicket(ticket);
    ticket.state = "has_slot";
    ticket.endedAt = now;
    ticket.line.running += 1;
    ticket.line.lastUse = now;
    if (!ticket.isEntering) this.#news.push(ticket);
  }

  #refuseWaiting(ticket: Ticket, why: QueueRefusal): void {
    if (!removeTicket(ticket)) return;
    this.#withdraw(ticket);
    this.#refuse(ticket, why);
  }

  /** The store may have been told of it, or is being told. */
  #withdraw({ line, written }: Ticket): void {
    if (written > 0) line.isChanged = true;
  }

  #refuse(ticket: Ticket, why: QueueRefusal): void {
    ticket.state = "refused";
    ticket.why = why;
    ticket.endedAt = this.#now();
    if (!ticket.isEntering) this.#news.push(ticket);
  }

  /** Whoever is told may enter and leave in that moment. */
  #tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let ticket = this.#news.shift(); ticket !== undefined; ticket = this.#news.shift()) {
      try {
        if (ticket.state === "has_slot") ticket.call.onTurn();
        else if (ticket.state === "refused") ticket.call.onRefused(ticket.why ?? "closing");
      } catch (error) {
        this.#options.onError(error);
      }
    }
    this.#isTelling = false;
  }
}

const allOf = (line: Line): readonly Ticket[] => (line.count === 0 ? [] : [...line.waiting.values()].flat());
