import { setImmediate as afterPoll } from "node:timers/promises";
import { partOf, type Share, WHOLE } from "../limits/share.ts";
import type { MaybePromise } from "../store/store.ts";
import { type Account, addCounts, newAccount } from "./account.ts";
import type { AccountJournal } from "./account-journal.ts";
import { AccountWriter, type AccountWriterOptions } from "./account-writer.ts";
import { JournalKeeper } from "./journal-keeper.ts";
import { available, bundleOf, type Line, leftOf, lineStanding } from "./line.ts";
import { aloneLeft, concerns, isBounded, isRequests, needOf, type QuotaCall, reserveOf } from "./quota-call.ts";
import type { QuotaStanding } from "./standing.ts";
import type { QuotaTerms } from "./terms.ts";

export interface QuotaLedgerOptions extends AccountWriterOptions {
  /** Asked while the store is away: this gateway's part of what is left; the whole unless given. */
  readonly share?: () => Share;
  /** Where what is counted waits on the local disk while the store is away; without it, it waits in memory alone. */
  readonly journal?: AccountJournal | undefined;
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

/**
 * Quotas over all gateways that share the store. Each sets some of what is left aside in the store, lets its calls use
 * that without asking, and writes what they used, with the next that it sets aside or a quarter of a second later: so
 * requests are exact, also when a gateway is killed, whose part then counts as used. What is known only at a call's end
 * is written at once when it is more than was set aside.
 */
export class QuotaLedger {
  readonly #share: () => Share;
  readonly #accounts = new Map<string, Account>();
  readonly #writer: AccountWriter;
  #sweeping: Promise<void> | undefined;
  readonly #keeper: JournalKeeper | undefined;

  constructor(options: QuotaLedgerOptions) {
    const { journal } = options;
    this.#share = options.share ?? (() => WHOLE);
    this.#writer = new AccountWriter(options);
    this.#keeper = journal && new JournalKeeper(journal, options);
  }

  /** Asks whether a call may begin, and counts it. Whoever is given a claim calls {@link settle} once. */
  acquire(terms: QuotaTerms, call: QuotaCall): MaybePromise<QuotaVerdict> {
    const now = this.#writer.now();
    const account = this.#accountOf(terms);
    if (account.turn !== undefined) return this.#acquireNext(account, terms, call);
    if (account.mustRead && !this.#writer.isAway(now))
      return this.#writer.read(account, () => this.#decide(account, terms, call));
    return this.#decide(account, terms, call);
  }

  /** What would refuse a call without asking the store. */
  refusal(terms: QuotaTerms, call: QuotaCall): Extract<QuotaVerdict, { claim: undefined }> | undefined {
    const account = this.#accounts.get(terms.client);
    if (account === undefined || account.terms !== terms) return undefined;
    const now = this.#writer.now();
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
    if (account.lines.some((line) => available(line) < 0)) void this.#writer.flushSafely(account);
  }

  /** A call that was let in does not begin: it counts for nothing. */
  cancel(claim: QuotaClaim): void {
    this.settle(claim, [["requests", -1]]);
  }

  /** The request of a call that was let in was counted already, at an earlier try. */
  countedBefore({ account, keys }: QuotaClaim): void {
    this.#count(account, keys, "requests", -1);
  }

  /** Where the client stands, as far as this gateway knows. */
  standing(terms: QuotaTerms): MaybePromise<readonly QuotaStanding[]> {
    const now = this.#writer.now();
    const account = this.#accountOf(terms);
    const answer = (): readonly QuotaStanding[] => {
      this.#writer.draw(account, terms);
      return account.lines.map(lineStanding);
    };
    const isKnown = !account.mustRead || this.#writer.isAway(now) || account.turn !== undefined;
    return isKnown ? answer() : this.#writer.read(account, answer);
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
      const now = this.#writer.now();
      if (this.#writer.isAway(now)) break;
      if (this.#writer.isDue(account, now)) {
        await this.#writer.flushSafely(account);
        // An engine that answers at once would keep everybody else waiting until the last of them is written.
        await afterPoll();
      } else if (this.#writer.isOver(account, now)) this.#accounts.delete(client);
    }
    const now = this.#writer.now();
    const isAway = this.#writer.isAway(now);
    this.#keeper?.keep(this.#accounts.values(), isAway);
    if (!isAway) await this.#keeper?.deliver(now);
  }

  /** Writes what is left to write and gives everything back. Best effort: a store that is away is left. */
  async close(): Promise<void> {
    await this.#sweeping;
    for (const account of this.#accounts.values()) await this.#writer.leave(account);
    this.#keeper?.keep(this.#accounts.values(), this.#writer.isAway(this.#writer.now()));
    this.#keeper?.close();
    this.#accounts.clear();
  }

  #accountOf(terms: QuotaTerms): Account {
    const known = this.#accounts.get(terms.client);
    if (known !== undefined) return known;
    const account = newAccount(terms);
    this.#accounts.set(terms.client, account);
    return account;
  }

  /** On what is known, if it is enough to let the call in. */
  #decide(account: Account, terms: QuotaTerms, call: QuotaCall, isLooked = false): MaybePromise<QuotaVerdict> {
    this.#writer.draw(account, terms);
    const now = this.#writer.now();
    account.lastUse = now;
    let isEnough = true;
    for (const line of account.lines) {
      if (!concerns(line, call)) continue;
      const need = needOf(line, call);
      if (line.refusedUntil > now && need >= line.refusedNeed) return refused(line, need);
      if (!this.#covers(line, need, account, call, now, isLooked)) isEnough = false;
    }
    if (isEnough) return this.#admit(account, call);
    if (account.mustRead || this.#writer.isAway(now)) return this.#decideAlone(account, call, now);
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
        if (now - account.readAt >= REFUSAL_MS) return this.#writer.read(account, again);
        return this.#refuse(line, need, now);
      }
      held.set(line, line.reserved + Math.min(left, Math.max(slack, this.#wanted(line, need, left, account, call))));
    }
    return this.#writer.write(
      account,
      held,
      (ok) => (ok ? this.#admit(account, call) : this.#writer.read(account, again)),
      // What others have taken meanwhile may still be read, where a lock or a full disk keeps everybody from writing.
      () => this.#writer.read(account, () => this.#decideAlone(account, call, now)),
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
    for (const line of account.lines) {
      if (!concerns(line, call)) continue;
      if (line.allowance === undefined) {
        const free = Math.max(0, leftOf(line) - Math.max(0, available(line)));
        line.allowance = partOf(this.#share(), free);
      }
      const need = needOf(line, call);
      if (Math.min(aloneLeft(line), leftOf(line)) < need) return this.#refuse(line, need, now);
    }
    return this.#admit(account, call);
  }

  #refuse(line: Line, need: number, now: number): QuotaVerdict {
    const verdict = refused(line, need);
    line.refusedUntil = Math.min(line.until, now + (verdict.hopeless ? USED_UP_MS : REFUSAL_MS));
    // Where nothing is left, it is the same what a call needs.
    line.refusedNeed = verdict.hopeless ? Math.min(1, need) : need;
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
    account.lastUse = this.#writer.now();
    for (const [key, end] of under) {
      addCounts(account.pending, [[key, [amount, end]]]);
      for (const line of account.lines) if (line.countKeys.includes(key)) line.pending += amount;
    }
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

const refused = (line: Line, need: number): Extract<QuotaVerdict, { claim: undefined }> => ({
  claim: undefined,
  by: lineStanding(line),
  need,
  hopeless: line.used + line.pending >= line.limit,
});
