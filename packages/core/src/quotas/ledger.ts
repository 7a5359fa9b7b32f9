import { setImmediate as afterPoll } from "node:timers/promises";
import type { Share } from "../limits/limiter.ts";
import { PatientCalls } from "../store/patient-calls.ts";
import type { MaybePromise, TrafficStore, VersionedQuotas } from "../store/store.ts";
import { type Account, addCounts, drawLines, newAccount, readLines, takeOver } from "./account.ts";
import { MAX_STEPS } from "./amount.ts";
import { available, bundleOf, type Line, leftOf, lineStanding } from "./line.ts";
import { counting, type Holder, type QuotaRecord, RENEW_MS, settled } from "./quota-record.ts";
import type { QuotaStanding } from "./standing.ts";
import type { QuotaTerms } from "./terms.ts";

export interface QuotaLedgerOptions {
  readonly store: Pick<TrafficStore, "steadyNow" | "quotaRecord" | "setQuotaRecord">;
  /** The instance's id: whose amounts set aside these are. */
  readonly holder: string;
  /** Asked while the store is away: this gateway's part of what is left; the whole unless given. */
  readonly share?: () => Share;
}

/** What a call may be worth. */
export interface QuotaCall {
  /** Units that its service counts: quotas of no other are asked. */
  readonly units: ReadonlySet<string>;
  /** By unit: the most that it may use, in steps. What has none is known at its end alone. */
  readonly reserves: ReadonlyMap<string, number>;
}

/** A call that was let in. */
export interface QuotaClaim {
  readonly account: Account;
  /** Of the periods in which it was let in: there it counts, whenever it ends. */
  readonly keys: Account["keys"];
  readonly reserved: readonly (readonly [line: Line, amount: number])[];
}

export type QuotaVerdict =
  | { readonly claim: QuotaClaim }
  /** `hopeless`: nothing is left until the period ends, unless an admin raises it. */
  | { readonly claim: undefined; readonly by: QuotaStanding; readonly need: number; readonly hopeless: boolean };

/** Others may give back what they set aside, and what is refused for want of that is asked for again after so long. */
const REFUSAL_MS = 250;
/** What is used up stays so, but for a gateway that was taken for dead and returns. */
const USED_UP_MS = 5_000;
/** What a client has set aside for calls to come is given back when it has not called for so long. */
const IDLE_MS = 1_000;
const FORGET_MS = 60_000;
const WHOLE: Share = { of: 1, rank: 0 };

/**
 * Quotas over all gateways that share the store. Each sets some of what is left aside in the store, lets its calls use
 * that without asking, and writes what they used, with the next that it sets aside or a quarter of a second later: so
 * requests are exact, also when a gateway is killed, whose part then counts as used. What is known only at a call's end
 * is written at once when it is more than was set aside.
 */
export class QuotaLedger {
  readonly #options: QuotaLedgerOptions;
  readonly #accounts = new Map<string, Account>();
  readonly #calls: PatientCalls;
  #sweeping: Promise<void> | undefined;

  constructor(options: QuotaLedgerOptions) {
    this.#options = options;
    this.#calls = new PatientCalls(() => options.store.steadyNow());
  }

  /** Asks whether a call may begin, and counts it. Whoever is given a claim calls {@link settle} once. */
  acquire(terms: QuotaTerms, call: QuotaCall): MaybePromise<QuotaVerdict> {
    const now = this.#options.store.steadyNow();
    const account = this.#accountOf(terms);
    if (account.turn !== undefined) return this.#acquireNext(account, terms, call);
    if (account.mustRead && this.#calls.awayUntil <= now)
      return this.#read(account, () => this.#decide(account, terms, call));
    return this.#decide(account, terms, call);
  }

  /** What would refuse a call without asking the store. */
  refusal(terms: QuotaTerms, call: QuotaCall): Extract<QuotaVerdict, { claim: undefined }> | undefined {
    const account = this.#accounts.get(terms.client);
    if (account === undefined || account.terms !== terms) return undefined;
    const now = this.#options.store.steadyNow();
    if (now >= account.linesUntil) return undefined;
    for (const line of account.lines) {
      if (line.refusedUntil <= now || !concerns(line, call)) continue;
      const need = needOf(line, call);
      if (need >= line.refusedNeed) return refused(line, need);
    }
    return undefined;
  }

  /** A call that was let in has ended. @param used by unit, in steps; what is not known is left out */
  settle({ account, keys, reserved }: QuotaClaim, used: Iterable<readonly [unit: string, amount: number]>): void {
    account.open -= 1;
    for (const [line, amount] of reserved) line.reserved -= amount;
    const before = account.lines.map(({ pending }) => pending);
    for (const [unit, amount] of used) this.#count(account, keys, unit, amount);
    for (const [index, line] of account.lines.entries()) {
      line.refusedUntil = 0;
      line.largest = Math.max(line.largest, line.pending - (before[index] ?? 0));
    }
    if (account.lines.some((line) => available(line) < 0)) void this.#flush(account);
  }

  /** A call that was let in does not begin: it counts for nothing. */
  cancel(claim: QuotaClaim): void {
    this.settle(claim, [["requests", -1]]);
  }

  /** Where the client stands, as far as this gateway knows. */
  standing(terms: QuotaTerms): MaybePromise<readonly QuotaStanding[]> {
    const now = this.#options.store.steadyNow();
    const account = this.#accountOf(terms);
    const answer = (): readonly QuotaStanding[] => {
      this.#draw(account, terms);
      return account.lines.map(lineStanding);
    };
    const isKnown = !account.mustRead || this.#calls.awayUntil > now || account.turn !== undefined;
    return isKnown ? answer() : this.#read(account, answer);
  }

  /** Where the client of a call that was let in stands. */
  standingOf({ account }: QuotaClaim): readonly QuotaStanding[] {
    return account.lines.map(lineStanding);
  }

  /**
   * Writes what was used, gives back what nobody needs, and says of the rest that it is still needed. To be called
   * several times a second; costs one store call for each client with a quota that has called since. Never throws a
   * store fault.
   */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async #sweep(): Promise<void> {
    for (const [client, account] of this.#accounts) {
      const now = this.#options.store.steadyNow();
      if (this.#calls.awayUntil > now) return;
      const isIdle = now - account.lastUse >= IDLE_MS;
      if (this.#isDue(account, now, isIdle)) {
        await this.#flush(account);
        // An engine that answers at once would keep everybody else waiting until the last of them is written.
        await afterPoll();
      } else if (account.open === 0 && now - account.lastUse >= FORGET_MS && isClean(account))
        this.#accounts.delete(client);
    }
  }

  #isDue(account: Account, now: number, isIdle: boolean): boolean {
    if (account.turn !== undefined) return false;
    if (account.pending.size > 0 || account.inDoubt !== undefined) return true;
    const held = account.record.holders[this.#options.holder]?.held ?? {};
    if (Object.keys(held).length === 0) return false;
    return now - account.wroteAt >= RENEW_MS || (isIdle && account.lines.some((line) => available(line) > 0));
  }

  /** Writes what is left to write and gives everything back. Best effort: a store that is away is left. */
  async close(): Promise<void> {
    await this.#sweeping;
    for (const account of this.#accounts.values()) {
      await account.turn;
      if (this.#calls.awayUntil > this.#options.store.steadyNow()) break;
      if (account.mustRead) await this.#read(account, () => undefined);
      if (account.mustRead || (isClean(account) && account.record.holders[this.#options.holder] === undefined))
        continue;
      await this.#write(account, undefined, (ok) => {
        if (!ok) return this.#read(account, () => this.#write(account, undefined, () => undefined));
        return undefined;
      });
    }
    this.#accounts.clear();
  }

  #accountOf(terms: QuotaTerms): Account {
    const known = this.#accounts.get(terms.client);
    if (known !== undefined) return known;
    const account = newAccount(terms);
    this.#accounts.set(terms.client, account);
    return account;
  }

  #draw(account: Account, terms: QuotaTerms): void {
    const now = this.#options.store.steadyNow();
    if (account.terms !== terms || now >= account.linesUntil) drawLines(account, terms, now, this.#options.holder);
  }

  /** On what is known, if it is enough to let the call in. */
  #decide(account: Account, terms: QuotaTerms, call: QuotaCall, isLooked = false): MaybePromise<QuotaVerdict> {
    this.#draw(account, terms);
    const now = this.#options.store.steadyNow();
    account.lastUse = now;
    let isEnough = true;
    for (const line of account.lines) {
      if (!concerns(line, call)) continue;
      const need = needOf(line, call);
      if (line.refusedUntil > now && need >= line.refusedNeed) return refused(line, need);
      if (!this.#covers(line, need, account, call, now, isLooked)) isEnough = false;
    }
    if (isEnough) return this.#admit(account, call);
    if (account.mustRead || this.#calls.awayUntil > now) return this.#decideAlone(account, call, now);
    return this.#ask(account, terms, call, now);
  }

  /** Whether what is set aside is enough for the call. */
  #covers(line: Line, need: number, account: Account, call: QuotaCall, now: number, isLooked: boolean): boolean {
    if (isBounded(line, call)) return available(line) >= need;
    // Others may have used more than was left meanwhile.
    if (isLooked) return leftOf(line) >= need;
    return available(line) >= need && now - account.readAt < REFUSAL_MS;
  }

  /** Sets more aside in the store. */
  #ask(account: Account, terms: QuotaTerms, call: QuotaCall, now: number): MaybePromise<QuotaVerdict> {
    const again = (): MaybePromise<QuotaVerdict> => this.#decide(account, terms, call);
    const held = new Map<Line, number>();
    for (const line of account.lines) {
      const left = line.allowance === undefined ? leftOf(line) : Math.min(leftOf(line), aloneLeft(line));
      const slack = Math.max(0, available(line));
      if (!concerns(line, call)) {
        held.set(line, line.reserved + Math.max(0, Math.min(slack, left)));
        continue;
      }
      const need = needOf(line, call);
      if (left < need) {
        if (now - account.readAt >= REFUSAL_MS) return this.#read(account, again);
        return this.#refuse(line, need, now);
      }
      held.set(line, line.reserved + Math.min(left, Math.max(slack, this.#wanted(line, need, left, account, call))));
    }
    return this.#write(
      account,
      held,
      (ok) => (ok ? this.#admit(account, call) : this.#read(account, again)),
      // What others have taken meanwhile may still be read, where a lock or a full disk keeps everybody from writing.
      () => this.#read(account, () => this.#decideAlone(account, call, now)),
    );
  }

  /** What to set aside for a call, and for those to come. */
  #wanted(line: Line, need: number, left: number, { waiting }: Account, call: QuotaCall): number {
    const bundle = bundleOf(line.limit, left);
    if (isRequests(line)) return Math.max(bundle, need + waiting);
    if (isBounded(line, call)) return need + Math.max(bundle, waiting * need);
    // A call that may use more than that looks for itself whether anything is left.
    return line.largest > 0 && line.largest <= bundle ? bundle : 0;
  }

  /** The store is away: this gateway's share of what was left when it was last read. */
  #decideAlone(account: Account, call: QuotaCall, now: number): QuotaVerdict {
    const { of, rank } = this.#options.share?.() ?? WHOLE;
    for (const line of account.lines) {
      if (!concerns(line, call)) continue;
      if (line.allowance === undefined) {
        const free = Math.max(0, leftOf(line) - Math.max(0, available(line)));
        line.allowance = Math.floor(free / of) + (rank < free % of ? 1 : 0);
      }
      const need = needOf(line, call);
      if (Math.min(aloneLeft(line), leftOf(line)) < need) return this.#refuse(line, need, now);
    }
    return this.#admit(account, call);
  }

  #refuse(line: Line, need: number, now: number): QuotaVerdict {
    const verdict = refused(line, need);
    line.refusedUntil = Math.min(line.until, now + (verdict.hopeless ? USED_UP_MS : REFUSAL_MS));
    line.refusedNeed = need;
    return verdict;
  }

  #admit(account: Account, call: QuotaCall): QuotaVerdict {
    const reserved: (readonly [Line, number])[] = [];
    if (call.reserves.size > 0) {
      for (const line of account.lines) {
        const amount = concerns(line, call) ? reserveOf(line, call) : 0;
        if (amount === 0) continue;
        line.reserved += amount;
        reserved.push([line, amount]);
      }
    }
    this.#count(account, account.keys, "requests", 1);
    account.open += 1;
    return { claim: { account, keys: account.keys, reserved } };
  }

  #count(account: Account, keys: Account["keys"], unit: string, amount: number): void {
    const under = keys.get(unit);
    if (under === undefined || amount === 0) return;
    account.lastUse = this.#options.store.steadyNow();
    for (const [key, end] of under) {
      addCounts(account.pending, [[key, [amount, end]]]);
      for (const line of account.lines) if (line.countKeys.includes(key)) line.pending += amount;
    }
  }

  /** Writes what was used. */
  #flush(account: Account): MaybePromise<void> {
    if (account.turn !== undefined) {
      account.flushDue = true;
      return;
    }
    const now = this.#options.store.steadyNow();
    if (this.#calls.awayUntil > now) return;
    const again = (): MaybePromise<void> => this.#flush(account);
    if (account.mustRead) return this.#read(account, () => (account.mustRead ? undefined : again()));
    this.#draw(account, account.terms);
    const isIdle = now - account.lastUse >= IDLE_MS;
    const held = new Map<Line, number>();
    for (const line of account.lines) {
      const slack = isIdle ? 0 : Math.max(0, Math.min(available(line), leftOf(line)));
      held.set(line, line.reserved + slack);
    }
    return this.#write(account, held, (ok) => (ok ? undefined : this.#read(account, again)));
  }

  /**
   * @param held what is to be set aside; undefined: nothing ever again
   * @param then is told whether it was written; another gateway may have been first
   */
  #write<T>(
    account: Account,
    held: ReadonlyMap<Line, number> | undefined,
    then: (ok: boolean) => MaybePromise<T>,
    onFault: () => MaybePromise<T> = () => then(true),
  ): MaybePromise<T> {
    const { holder: id } = this.#options;
    const now = this.#options.store.steadyNow();
    const { pending: carried, waiting } = account;
    const amounts = [...(held ?? [])].flatMap(([line, amount]) =>
      amount > 0 ? [[line.sumKey, [amount, line.period.end]] as const] : [],
    );
    account.seq += 1;
    const holder: Holder = { seq: account.seq, at: now, held: Object.fromEntries(amounts) };
    const { used, holders } = settled(account.record, now, MAX_STEPS, id);
    const { [id]: _own, ...others } = holders;
    const next: QuotaRecord = {
      used: counting(used, carried, MAX_STEPS),
      holders: held === undefined ? others : { ...others, [id]: holder },
    };
    account.pending = new Map();
    account.inDoubt = { holder, carried };
    account.looks = 0;
    return this.#calls.run(
      account,
      () => this.#options.store.setQuotaRecord(account.terms.client, account.version, next),
      (ok) => {
        if (ok) {
          account.inDoubt = undefined;
          account.version += 1;
          account.record = next;
          account.wroteAt = now;
          account.readAt = now;
          account.looks = waiting;
          this.#update(account, () => readLines(account, id));
        } else account.mustRead = true;
        return this.#afterTurn(account, then(ok));
      },
      () => {
        account.mustRead = true;
        // What it set aside may be less than before.
        for (const line of account.lines) {
          const slack = (held?.get(line) ?? 0) - line.reserved;
          line.held = Math.min(line.held, line.pending + line.reserved + Math.max(0, slack));
        }
        return onFault();
      },
    );
  }

  #read<T>(account: Account, then: () => MaybePromise<T>): MaybePromise<T> {
    return this.#calls.run(
      account,
      () => this.#options.store.quotaRecord(account.terms.client),
      (found: VersionedQuotas | undefined) => {
        const now = this.#options.store.steadyNow();
        this.#update(account, () => takeOver(account, found, this.#options.holder, now));
        return this.#afterTurn(account, then());
      },
      then,
    );
  }

  /** What this gateway may use alone is the same before and after it has the store back, until all have. */
  #update(account: Account, update: () => void): void {
    const settling = this.#calls.isSettling(this.#options.store.steadyNow());
    const alone = account.lines.map((line) => (settling && line.allowance !== undefined ? aloneLeft(line) : undefined));
    update();
    for (const [index, line] of account.lines.entries()) {
      const before = alone[index];
      line.allowance = before === undefined ? undefined : Math.max(0, before - available(line));
    }
  }

  #afterTurn<T>(account: Account, answer: MaybePromise<T>): MaybePromise<T> {
    if (account.flushDue && account.turn === undefined) {
      account.flushDue = false;
      void this.#flush(account);
    }
    return answer;
  }

  async #acquireNext(account: Account, terms: QuotaTerms, call: QuotaCall): Promise<QuotaVerdict> {
    account.waiting += 1;
    await account.turn;
    account.waiting -= 1;
    if (account.looks === 0 || account.turn !== undefined || account.mustRead) return this.acquire(terms, call);
    // The store was asked for those who waited, too.
    account.looks -= 1;
    return this.#decide(account, terms, call, true);
  }
}

const isRequests = ({ quota }: Line): boolean => quota.units[0] === "requests";

const concerns = ({ quota }: Line, { units }: QuotaCall): boolean => quota.units.some((unit) => units.has(unit));

const reserveOf = ({ quota }: Line, { reserves }: QuotaCall): number => {
  let sum = 0;
  for (const unit of quota.units) sum += reserves.get(unit) ?? 0;
  return sum;
};

/** Whether it is known beforehand how much of it the call can use. */
const isBounded = (line: Line, call: QuotaCall): boolean => isRequests(line) || reserveOf(line, call) > 0;

/** What must be left for the call to be let in. What it will use is known at its end alone: then anything. */
const needOf = (line: Line, call: QuotaCall): number => (isRequests(line) ? 1 : reserveOf(line, call) || 1);

/** What this gateway may use alone. */
const aloneLeft = (line: Line): number => available(line) + (line.allowance ?? 0);

const refused = (line: Line, need: number): Extract<QuotaVerdict, { claim: undefined }> => ({
  claim: undefined,
  by: lineStanding(line),
  need,
  hopeless: line.used + line.pending >= line.limit,
});

const isClean = ({ pending, inDoubt }: Account): boolean => pending.size === 0 && inDoubt === undefined;
