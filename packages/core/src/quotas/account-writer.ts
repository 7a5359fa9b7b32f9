import { PatientCalls } from "../store/patient-calls.ts";
import type { MaybePromise, TrafficStore, VersionedQuotas } from "../store/store.ts";
import { type Account, drawLines, readLines, takeOver } from "./account.ts";
import { MAX_STEPS } from "./amount.ts";
import { available, type Line, leftOf } from "./line.ts";
import { aloneLeft } from "./quota-call.ts";
import { counting, type Holder, type QuotaRecord, RENEW_MS, settled } from "./quota-record.ts";
import type { QuotaTerms } from "./terms.ts";

export interface AccountWriterOptions {
  readonly store: Pick<TrafficStore, "steadyNow" | "quotaRecord" | "setQuotaRecord">;
  /** The instance's id: whose amounts set aside these are. */
  readonly holder: string;
  /** What no call waits for went wrong, and it was no fault of the store: a record that cannot be read. */
  readonly onError: (error: unknown) => void;
}

/** What a client has set aside for calls to come is given back when it has not called for so long. */
const IDLE_MS = 1_000;
const FORGET_MS = 60_000;

/** Reads and writes the records of clients, each call of a client after the one before. */
export class AccountWriter {
  readonly #options: AccountWriterOptions;
  readonly #calls: PatientCalls;

  constructor(options: AccountWriterOptions) {
    this.#options = options;
    this.#calls = new PatientCalls(() => options.store.steadyNow());
  }

  now(): number {
    return this.#options.store.steadyNow();
  }

  /** What can be done without the store is done without it. */
  isAway(now: number): boolean {
    return this.#calls.awayUntil > now;
  }

  /** Lines for these terms and this moment. */
  draw(account: Account, terms: QuotaTerms): void {
    const now = this.now();
    if (account.terms !== terms || now >= account.linesUntil) drawLines(account, terms, now, this.#options.holder);
  }

  /** Whether there is something to write, to give back, or to say is still needed. */
  isDue(account: Account, now: number): boolean {
    if (account.turn !== undefined) return false;
    if (!isClean(account)) return true;
    if (!this.#holds(account)) return false;
    const isIdle = now - account.lastUse >= IDLE_MS;
    return now - account.wroteAt >= RENEW_MS || (isIdle && account.lines.some((line) => available(line) > 0));
  }

  /** Whether nothing of it is needed here any more. */
  isOver(account: Account, now: number): boolean {
    return account.turn === undefined && account.open === 0 && now - account.lastUse >= FORGET_MS && isClean(account);
  }

  /** Writes what was used; what nobody needs is given back. While a call is under way, behind it. */
  flush(account: Account): MaybePromise<void> {
    if (account.turn !== undefined) {
      account.flushDue = true;
      return;
    }
    const now = this.now();
    if (this.isAway(now)) return;
    const again = (): MaybePromise<void> => this.flush(account);
    if (account.mustRead) return this.read(account, () => (account.mustRead ? undefined : again()));
    this.draw(account, account.terms);
    const isIdle = now - account.lastUse >= IDLE_MS;
    const held = new Map<Line, number>();
    for (const line of account.lines) {
      const slack = isIdle ? 0 : Math.max(0, Math.min(available(line), leftOf(line)));
      held.set(line, line.reserved + slack);
    }
    return this.write(
      account,
      held,
      (ok) => (ok ? undefined : this.read(account, again)),
      () => undefined,
    );
  }

  /** {@link flush}, for whom nobody waits. */
  async flushSafely(account: Account): Promise<void> {
    try {
      await this.flush(account);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** Writes what is left to write, gives everything back and takes its leave. Best effort: a store that is away is left. */
  async leave(account: Account): Promise<void> {
    account.lastUse = Number.NEGATIVE_INFINITY;
    await account.turn;
    if (!isClean(account) || this.#holds(account)) await this.flushSafely(account);
    // Only what is known to be written may lose the number that tells so.
    if (!isClean(account) || account.record.holders[this.#options.holder] === undefined) return;
    await this.write(
      account,
      undefined,
      () => undefined,
      () => undefined,
    );
  }

  /**
   * Writes what a gateway that has ended left behind, under its own name and number: once, whoever does it and however
   * often.
   * @returns whether the store has it
   */
  async takeUp(account: Account): Promise<boolean> {
    const { seq } = account;
    await this.read(account, () => undefined);
    if (account.mustRead) return false;
    // Somebody has written it before, and was cut off then.
    if ((account.record.holders[this.#options.holder]?.seq ?? 0) > seq) return true;
    account.lastUse = Number.NEGATIVE_INFINITY;
    if (!isClean(account) || this.#holds(account)) await this.flush(account);
    return isClean(account);
  }

  #holds({ record }: Account): boolean {
    return Object.keys(record.holders[this.#options.holder]?.held ?? {}).length > 0;
  }

  /**
   * @param held what is to be set aside; undefined: nothing ever again
   * @param then is told whether it was written; if not, somebody else was first, and the record is to be read
   * @param onFault nobody knows whether it was written
   */
  write<T>(
    account: Account,
    held: ReadonlyMap<Line, number> | undefined,
    then: (ok: boolean) => MaybePromise<T>,
    onFault: () => MaybePromise<T>,
  ): MaybePromise<T> {
    const { holder: id, store } = this.#options;
    const now = this.now();
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
      () => store.setQuotaRecord(account.terms.client, account.version, next),
      (ok) => {
        // Somebody else was first, or it was this write itself, which the driver has sent twice.
        if (!ok) account.mustRead = true;
        else {
          account.inDoubt = undefined;
          account.version += 1;
          account.record = next;
          account.wroteAt = now;
          account.readAt = now;
          account.looks = waiting;
          this.#update(account, () => readLines(account, id));
        }
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

  /** @param then also when it could not be read: `mustRead` is set then */
  read<T>(account: Account, then: () => MaybePromise<T>): MaybePromise<T> {
    const { holder, store } = this.#options;
    return this.#calls.run(
      account,
      () => store.quotaRecord(account.terms.client),
      (found: VersionedQuotas | undefined) => {
        this.#update(account, () => takeOver(account, found, holder, this.now()));
        return this.#afterTurn(account, then());
      },
      then,
    );
  }

  /** What this gateway may use alone is the same before and after it has the store back, until all have. */
  #update(account: Account, update: () => void): void {
    const settling = this.#calls.isSettling(this.now());
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
      void this.flushSafely(account);
    }
    return answer;
  }
}

const isClean = ({ pending, inDoubt }: Account): boolean => pending.size === 0 && inDoubt === undefined;
