import { partOf, type Share, WHOLE } from "../limits/share.ts";
import { PatientCalls } from "../store/patient-calls.ts";
import type { MaybePromise, TrafficStore, VersionedQueue } from "../store/store.ts";
import { makeRoom } from "./make-room.ts";
import { allOf, hasJoining, heldElsewhere, holderOf, isIn, type Line, othersWait, type Ticket } from "./queue-line.ts";
import {
  EMPTY_QUEUE,
  LEASE_MS,
  type QueueRecord,
  type SlotHolder,
  slotsIn,
  waitingIn,
  withHold,
  withoutLapsed,
  withTurns,
} from "./queue-record.ts";
import type { Turns } from "./turns.ts";

export interface LineKeeperOptions {
  readonly store: Pick<TrafficStore, "steadyNow" | "queueRecord" | "setQueueRecord">;
  /** The instance's id. */
  readonly holder: string;
  /** Asked while the store is away: this gateway's part of the slots; all of them unless given. */
  readonly share?: () => Share;
  /** A record that cannot be read, or a call that threw in its turn. */
  readonly onError: (error: unknown) => void;
}

/** A slot stays here for so long after its last call while nobody else waits. */
const KEEP_MS = 1_000;
/** What went wrong and was no fault of the store is not tried again for so long. */
const FAULTY_MS = 1_000;

/** Brings what a gateway has of queues and their records together, each line's calls of the store after one another. */
export class LineKeeper {
  readonly #options: LineKeeperOptions;
  readonly #id: string;
  readonly #turns: Turns;
  readonly #calls: PatientCalls;
  /** The engine answers by promises. */
  isRemote = false;
  #seq = 0;
  #isEnded = false;
  #faultyUntil = 0;
  /** When the store was away first, if it still is; steady milliseconds. */
  #awaySince: number | undefined;

  constructor(options: LineKeeperOptions, turns: Turns) {
    this.#options = options;
    this.#id = options.holder;
    this.#turns = turns;
    this.#calls = new PatientCalls(() => options.store.steadyNow());
  }

  #now(): number {
    return this.#options.store.steadyNow();
  }

  /** What can be done without the store is done without it. */
  isAway(now: number): boolean {
    return this.#calls.awayUntil > now || this.#faultyUntil > now;
  }

  /** The store is away, or others may not have told it yet what they did while it was. */
  isAlone(now: number): boolean {
    if (this.isAway(now) || this.#calls.isSettling(now)) return true;
    this.#awaySince = undefined;
    return false;
  }

  /**
   * How many of the slots that no call has stay here for the next ones: while nobody waits, for a second, and where there
   * are other gateways only as long as one is left that theirs can take at once, and as many may wait as could ask for
   * what is kept: who must not wait would be refused while a slot is idle here.
   */
  keepable(line: Line, now: number, record: QueueRecord = line.record): number {
    const isWanted = line.count > 0 || waitingIn(record, this.#id) > 0;
    if (isWanted || line.isOff || now - line.lastUse >= KEEP_MS) return 0;
    const { of } = this.#options.share?.() ?? WHOLE;
    const { concurrency, most } = line.terms;
    if (of > 1 && most < concurrency) return 0;
    const free = concurrency - (of > 1 ? 1 : 0) - slotsIn(record, this.#id);
    return Math.max(0, Math.min(line.held, free) - line.running);
  }

  /** Nothing is read or written any more. */
  end(): void {
    this.#isEnded = true;
  }

  /** Brings the record and this gateway together. */
  sync(line: Line): void {
    if (this.#isEnded) return;
    if (line.isBusy) {
      line.isDue = true;
      return;
    }
    line.isChanged = false;
    if (this.isAway(this.#now())) this.#goOnAlone(line);
    else {
      this.#guarded(line, () =>
        line.mustRead || !this.isRemote ? this.#read(line, () => this.#write(line)) : this.#write(line),
      );
    }
    this.#turns.tell();
  }

  /** Sees what others have done; writes only what that asks for. */
  look(line: Line): void {
    if (line.isBusy || this.#isEnded || this.isAway(this.#now())) return;
    this.#guarded(line, () => this.#read(line, () => (this.#mustWrite(line) ? this.#write(line) : undefined)));
    this.#turns.tell();
  }

  #guarded(line: Line, work: () => MaybePromise<void>): void {
    const failed = (error: unknown): void => {
      line.isBusy = false;
      line.mustRead = true;
      this.#faultyUntil = this.#now() + FAULTY_MS;
      this.#options.onError(error);
      this.#goOnAlone(line);
      this.#turns.tell();
    };
    const done = (): void => {
      line.isBusy = false;
      if (line.isDue) {
        line.isDue = false;
        this.sync(line);
      }
      this.#turns.tell();
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
    if (this.isAlone(now)) return false;
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
        this.isRemote = answer instanceof Promise;
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
    } else if (line.doubtful > 0 || line.okSeq === 0) {
      if (line.doubtful > 0 && own.seq === line.doubtful) line.okSeq = line.doubtful;
      // What was given in it may have been taken alone meanwhile: with the next write it is given once more.
      line.taken.clear();
      for (const [client, count] of Object.entries(own.given)) line.taken.set(client, count);
    }
    line.doubtful = 0;
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
        this.#turns.start(ticket, now);
      }
    }
  }

  /** Others have needed the room, see makeRoom. */
  #leavePushedOut(line: Line, waiting: SlotHolder["waiting"]): void {
    const now = this.#now();
    for (const [client, tickets] of line.waiting) {
      const known = tickets.filter(isIn);
      const over = known.length - (waiting[client]?.[0] ?? 0);
      if (over > 0) for (const ticket of known.slice(-over)) this.#turns.refuse(ticket, "full", now);
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
        for (const ticket of refused) this.#turns.refuse(ticket, "full", now);
      },
      () => {
        line.doubtful = line.seq;
        line.mustRead = true;
        this.#goOnAlone(line);
      },
    );
  }

  #next(line: Line, now: number): { readonly next: QueueRecord; readonly refused: readonly Ticket[] } {
    const { concurrency, most } = line.terms;
    const isAlone = this.isAlone(now);
    let base = isAlone ? line.record : withoutLapsed(line.record, now, this.#id);
    for (const ms of line.holds) base = withHold(base, ms);
    const joined = this.#joined(line, base, this.keepable(line, now, base), now);
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
    if (!this.isAway(now)) return Math.min(part, concurrency - heldElsewhere(line, this.#id, now));
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
    line.doubtful = 0;
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
    for (const ticket of refused) this.#turns.refuse(ticket, "full", now);
    for (const [client, count] of Object.entries(next.holders[this.#id]?.given ?? {})) {
      for (const ticket of line.waiting.get(client)?.slice(0, count) ?? []) this.#turns.start(ticket, now);
    }
    line.held = line.running;
  }
}
