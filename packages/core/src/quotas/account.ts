import type { Turns } from "../store/patient-calls.ts";
import type { VersionedQuotas } from "../store/store.ts";
import type { LeftBehind } from "./account-journal.ts";
import { type Line, newLine, readLine } from "./line.ts";
import { type Count, countKeyOf, EMPTY_RECORD, type Holder, type QuotaRecord } from "./quota-record.ts";
import { currentQuotas, type QuotaTerms } from "./terms.ts";
import { timeZone } from "./time-zone.ts";

/** What one gateway knows of one client's quotas. Times are the store's steady milliseconds. */
export interface Account extends Turns {
  terms: QuotaTerms;
  /** One a quota, in their order. */
  lines: readonly Line[];
  /** When a period or a grant ends: the lines are to be made anew. */
  linesUntil: number;
  /** Under which keys a unit is counted, each once, with the ends of their periods. */
  keys: ReadonlyMap<string, readonly (readonly [key: string, end: number])[]>;
  /** 0 while nothing is known to be in the store. */
  version: number;
  record: QuotaRecord;
  readAt: number;
  /** The store is to be asked before anything is concluded: never read, or a write's end is not known. */
  mustRead: boolean;
  /** Of this gateway's last write. */
  seq: number;
  /** When that was. */
  wroteAt: number;
  /** Used here, and not written. */
  pending: Map<string, Count>;
  /** A write that was begun and whose end is not known, what it carried and what it set aside. */
  inDoubt: { readonly holder: Holder; readonly carried: ReadonlyMap<string, Count> } | undefined;
  /** How many calls wait for a turn. */
  waiting: number;
  /** Of those: how many the last write was made for, too. */
  looks: number;
  /** Calls under way. */
  open: number;
  lastUse: number;
  /** To be written once the turn is over. */
  flushDue: boolean;
}

export const newAccount = (terms: QuotaTerms): Account => ({
  terms,
  lines: [],
  linesUntil: Number.NEGATIVE_INFINITY,
  keys: new Map(),
  version: 0,
  record: EMPTY_RECORD,
  readAt: Number.NEGATIVE_INFINITY,
  mustRead: true,
  seq: 0,
  wroteAt: Number.NEGATIVE_INFINITY,
  pending: new Map(),
  inDoubt: undefined,
  turn: undefined,
  waiting: 0,
  looks: 0,
  open: 0,
  lastUse: Number.NEGATIVE_INFINITY,
  flushDue: false,
});

/** What of it the store may not have; undefined when it has all. */
export const leftBehind = (
  { terms, seq, record, inDoubt, pending }: Account,
  holder: string,
): LeftBehind | undefined =>
  pending.size === 0 && inDoubt === undefined
    ? undefined
    : {
        client: terms.client,
        seq,
        known: record.holders[holder] ?? null,
        inDoubt: inDoubt === undefined ? null : { holder: inDoubt.holder, carried: [...inDoubt.carried] },
        pending: [...pending],
      };

/** The account of a gateway that has ended, to be written by another one. */
export const takenUp = ({ client, seq, known, inDoubt, pending }: LeftBehind, holder: string): Account => ({
  ...newAccount({ client, quotas: [], grants: [], resets: 0, zone: timeZone("UTC") }),
  seq,
  record: { used: {}, holders: known === null ? {} : { [holder]: known } },
  inDoubt: inDoubt === null ? undefined : { holder: inDoubt.holder, carried: new Map(inDoubt.carried) },
  pending: new Map(pending),
});

export const addCounts = (to: Map<string, Count>, more: Iterable<readonly [key: string, count: Count]>): void => {
  for (const [key, [amount, end]] of more) {
    const sum = (to.get(key)?.[0] ?? 0) + amount;
    if (sum === 0) to.delete(key);
    else to.set(key, [sum, end]);
  }
};

/** Lines for the periods that `now` lies in; one that goes on keeps what it knows. */
export const drawLines = (account: Account, terms: QuotaTerms, now: number, holder: string): void => {
  const known = new Map(account.lines.map((line) => [line.sumKey, line]));
  const keys = new Map<string, (readonly [key: string, end: number])[]>();
  let until = Number.POSITIVE_INFINITY;
  account.terms = terms;
  account.lines = currentQuotas(terms, now).map((current) => {
    until = Math.min(until, current.until);
    for (const [index, unit] of current.quota.units.entries()) {
      const key = current.countKeys[index] as string;
      const of = keys.get(unit) ?? [];
      if (!of.some(([other]) => other === key)) of.push([key, current.period.end]);
      keys.set(unit, of);
    }
    const line = known.get(current.sumKey);
    // The same object: calls under way hold it.
    return line === undefined ? newLine(current) : Object.assign(line, current, { refusedUntil: 0 });
  });
  account.keys = keys;
  account.linesUntil = until;
  readLines(account, holder);
};

/** Takes over into the lines what the account knows. */
export const readLines = (account: Account, holder: string): void => {
  const { pending, inDoubt, record } = account;
  let counts: ReadonlyMap<string, Count> = pending;
  if (inDoubt !== undefined) {
    const all = new Map(pending);
    addCounts(all, inDoubt.carried);
    counts = all;
  }
  for (const line of account.lines) readLine(line, record, holder, counts);
};

/**
 * Takes over what the store has. Whether a write whose end was not known is in it, its number tells: what it carried
 * counts once. What others took for used, because nothing was heard of this gateway, is taken off what it has to add.
 */
export const takeOver = (account: Account, found: VersionedQuotas | undefined, holder: string, now: number): void => {
  const { version, record } = found ?? { version: 0, record: EMPTY_RECORD };
  const { inDoubt } = account;
  const own = record.holders[holder];
  const isIn = inDoubt !== undefined && own?.seq === inDoubt.holder.seq;
  if (inDoubt !== undefined && !isIn) addCounts(account.pending, inDoubt.carried);
  account.inDoubt = undefined;
  const written = isIn ? inDoubt.holder : account.record.holders[holder];
  if (own !== undefined && written?.seq === own.seq) {
    const taken = Object.entries(written.held).filter(([key]) => own.held[key] === undefined);
    addCounts(
      account.pending,
      taken.map(([key, [amount, end]]) => [countKeyOf(key), [-amount, end]] as const),
    );
  }
  account.version = version;
  account.record = record;
  account.readAt = now;
  account.mustRead = false;
  readLines(account, holder);
};
