import { setImmediate as afterPoll } from "node:timers/promises";
import type { MaybePromise } from "../store/store.ts";
import {
  admitted,
  currentWindow,
  type Holding,
  newHolding,
  type Permit,
  refused,
  SINGLE_PERMIT_LIMIT,
  UNSAVED_STEP_MS,
  withUnsaved,
} from "./holding.ts";
import {
  counted,
  lend,
  nextFreeAt,
  oldestFreeAt,
  type PermitWindow,
  type Spent,
  spend,
  unspend,
} from "./permit-window.ts";
import { countAlone, leftOfShare, type Share, WHOLE } from "./share.ts";
import { WindowCalls, type WindowCallsOptions } from "./window-calls.ts";

export interface LimiterOptions extends WindowCallsOptions {
  readonly windowMs: number;
  /** Limits above {@link SINGLE_PERMIT_LIMIT} are leased in bundles; false asks the store for each permit. */
  readonly bundles: boolean;
  /** Asked while permits cannot be written; the whole unless given. */
  readonly share?: () => Share;
}

const LEASE_MS = 2_000;
/**
 * Before its end a bundle is renewed by whoever calls, or given back: from its end on others count all of it as spent,
 * and a client far below its limit, whose calls fall now on this gateway and now on that, would be refused.
 */
const GIVE_BACK_MS = 750;
/** While somebody else holds a lease, a refusal may be out of date as soon as they give back what they did not use. */
const REFUSAL_WITH_LEASES_MS = 250;

/**
 * Exactly N permits in any rolling window, over all instances that share the store and over restarts.
 * A refused request writes nothing. Cost: one compare-and-set a permit, or one a bundle for large limits, or one for all
 * calls that came while the one before was under way.
 *
 * While permits cannot be written, each instance counts alone and admits its share of what was free when it last read
 * the store: together no more than N where the store can still be read, and fewer than 2 N where it cannot. Once the
 * store is back, shares go on until all have written what they admitted.
 */
export class Limiter {
  readonly #options: LimiterOptions;
  readonly #holdings = new Map<string, Holding>();
  /** Those of which a bundle is lent. */
  readonly #lent = new Map<string, Holding>();
  readonly #calls: WindowCalls;
  #settling: Promise<void> | undefined;

  constructor(options: LimiterOptions) {
    this.#options = options;
    this.#calls = new WindowCalls(options);
  }

  acquire(key: string, limit: number): MaybePromise<Permit> {
    const now = this.#options.store.steadyNow();
    const holding = this.#holdings.get(key);
    if (holding === undefined) return this.#load(key, limit, () => this.acquire(key, limit));
    if (holding.turn !== undefined) return this.#acquireNext(key, limit, holding);
    if (holding.limit !== limit) this.#changeLimit(holding, limit);
    if (now < holding.refusedUntil) return refused(holding, now, this.#options);
    if (holding.outdated) return this.#calls.reload(key, holding, () => this.acquire(key, limit));
    if (holding.leaseLeft > 0 && now < holding.leaseUntil - GIVE_BACK_MS) {
      holding.leaseLeft -= 1;
      holding.leaseUsed += 1;
      holding.leaseLastUse = now;
      return admitted(holding, now, this.#options);
    }
    return this.#ask(key, holding);
  }

  /**
   * For how many milliseconds {@link acquire} would refuse this key without asking the store; undefined when it would have
   * to ask. A key that was never asked for stays unknown.
   */
  refusedFor(key: string): number | undefined {
    const until = this.#holdings.get(key)?.refusedUntil ?? 0;
    if (until === 0) return undefined;
    const left = until - this.#options.store.steadyNow();
    return left > 0 ? left : undefined;
  }

  /** The window as it stands, without taking a permit: `remaining` and `resetMs` for an answer that costs nothing. */
  peek(key: string, limit: number): MaybePromise<Permit> {
    const now = this.#options.store.steadyNow();
    const holding = this.#holdings.get(key);
    if (holding === undefined) return this.#load(key, limit, () => this.peek(key, limit));
    const window = currentWindow(holding, now, this.#options);
    const freeAt = oldestFreeAt(window, this.#options.windowMs) ?? now + this.#options.windowMs;
    const remaining = Math.max(0, limit - counted(window));
    return { admitted: false, limit, remaining, resetMs: Math.max(1, freeAt - now), at: now };
  }

  /** Takes back a permit that turned out not to count, such as a login that succeeded. */
  refund(key: string, permit: Permit): MaybePromise<void> {
    const holding = this.#holdings.get(key);
    if (holding === undefined) return;
    if (holding.turn !== undefined) return this.#inTurn(holding, () => this.refund(key, permit));
    holding.refusedUntil = 0;
    if (holding.alone.length > 0) this.#countAlone(holding, this.#options.store.steadyNow(), -1);
    if (holding.leaseUsed > 0 && permit.at >= holding.leaseUntil - LEASE_MS && permit.at <= holding.leaseLastUse) {
      // Of the bundle that is being handed out, which is not written yet. None is left of one under another limit.
      holding.leaseUsed -= 1;
      if (holding.leaseLeft > 0) holding.leaseLeft += 1;
      return;
    }
    const countsTogether = holding.limit > SINGLE_PERMIT_LIMIT;
    const unsaved = holding.unsaved.findIndex(([at]) =>
      countsTogether ? at >= permit.at && at - permit.at < UNSAVED_STEP_MS : at === permit.at,
    );
    const entry = holding.unsaved[unsaved];
    if (entry !== undefined) {
      // What is in doubt is to be found again as it was.
      if (holding.inDoubt.has(entry)) return;
      const rest: Spent[] = entry[1] > 1 ? [[entry[0], entry[1] - 1]] : [];
      holding.unsaved = holding.unsaved.toSpliced(unsaved, 1, ...rest);
      return;
    }
    // Every try would cost the thread the lock's patience.
    if (this.#calls.awayUntil > this.#options.store.steadyNow()) return;
    const known = currentWindow(holding, this.#options.store.steadyNow(), this.#options);
    const window = unspend(known, permit.at, countsTogether ? LEASE_MS : 0);
    return this.#calls.write(
      key,
      holding,
      window,
      (ok) => (ok ? undefined : this.#calls.reload(key, holding, () => this.refund(key, permit))),
      () => undefined,
    );
  }

  /**
   * Gives back bundles that are about to end, and writes what was admitted while the store was away, also of clients who
   * do not call any more: until then others take the one for spent and the other for free. To be called several times a
   * second; costs next to nothing when there is none. Never throws a store fault.
   */
  settle(): Promise<void> {
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  async #settle(): Promise<void> {
    for (const [key, holding] of this.#lent) {
      if (holding.leaseUntil - this.#options.store.steadyNow() > GIVE_BACK_MS) continue;
      this.#lent.delete(key);
      await this.#save(key, holding);
      // An engine that answers at once would keep everybody else waiting until the last of them is written.
      await afterPoll();
    }
    if (!this.#calls.isAway && !this.#calls.isSettling(this.#options.store.steadyNow())) return;
    for (const [key, holding] of this.#holdings) {
      if (this.#calls.awayUntil > this.#options.store.steadyNow()) return;
      if (holding.unsaved.length === 0) continue;
      await this.#save(key, holding);
      await afterPoll();
    }
    // Nobody has asked meanwhile: whether it is back, the first who calls has to know.
    for (const [key, holding] of this.#holdings) {
      if (!this.#calls.isAway || this.#calls.awayUntil > this.#options.store.steadyNow()) return;
      if (holding.turn === undefined) await this.#calls.reload(key, holding, () => undefined);
    }
  }

  #save(key: string, holding: Holding): MaybePromise<void> {
    const now = this.#options.store.steadyNow();
    if (holding.turn !== undefined || this.#calls.awayUntil > now) return;
    if (holding.unsaved.length === 0 && holding.leaseUntil === 0) return;
    return this.#calls.write(
      key,
      holding,
      currentWindow(holding, now, this.#options),
      (ok) => (ok ? undefined : this.#calls.reload(key, holding, () => this.#save(key, holding))),
      () => undefined,
    );
  }

  /** Forgets keys in which nothing counts any more. */
  prune(): void {
    const now = this.#options.store.steadyNow();
    for (const [key, holding] of this.#holdings) {
      if (holding.turn === undefined && counted(currentWindow(holding, now, this.#options)) === 0)
        this.#holdings.delete(key);
    }
  }

  /** Gives unused permits back, so that a restart costs clients nothing. Best effort: a store that is away is left. */
  async close(): Promise<void> {
    for (const [key, holding] of this.#holdings) {
      await holding.turn;
      if (this.#calls.awayUntil > this.#options.store.steadyNow()) break;
      if (holding.leaseUntil === 0 && holding.unsaved.length === 0) continue;
      const window = currentWindow(holding, this.#options.store.steadyNow(), this.#options);
      await this.#calls.write(
        key,
        holding,
        window,
        () => undefined,
        () => undefined,
      );
    }
    this.#holdings.clear();
    this.#lent.clear();
  }

  #load(key: string, limit: number, then: () => MaybePromise<Permit>): MaybePromise<Permit> {
    const holding = newHolding(limit);
    this.#holdings.set(key, holding);
    return this.#calls.reload(key, holding, then);
  }

  #changeLimit(holding: Holding, limit: number): void {
    holding.limit = limit;
    holding.refusedUntil = 0;
    holding.leaseLeft = 0;
  }

  /** Asks the store for a permit or a bundle. */
  #ask(key: string, holding: Holding): MaybePromise<Permit> {
    const now = this.#options.store.steadyNow();
    const window = currentWindow(holding, now, this.#options);
    const settling = this.#calls.isSettling(now);
    if (!settling && holding.alone.length > 0) holding.alone = [];
    const free = holding.limit - counted(window);
    if (free <= 0) return this.#refuse(holding, window, now);
    if (this.#calls.awayUntil > now) return this.#calls.withLatest(key, holding, () => this.#admitAlone(holding, now));
    const most = settling ? Math.min(free, this.#leftOfShare(holding, now)) : free;
    if (most <= 0) return this.#refuseAlone(holding, now);
    const least = this.#bundleFor(holding.limit);
    // For all who wait: one store call after the other would make the last of them wait for all.
    const count = Math.min(most, Math.max(least, 1 + holding.waiting));
    const bundle = least === 1 ? 1 : count;
    const until = now + LEASE_MS;
    const next =
      bundle === 1 ? spend(window, now, count) : lend(window, { holder: this.#options.holder, count, until });
    return this.#calls.write(
      key,
      holding,
      next,
      (ok) => {
        if (!ok) return this.#calls.reload(key, holding, () => this.acquire(key, holding.limit));
        if (settling) this.#countAlone(holding, now, count);
        if (bundle > 1) {
          holding.leaseLeft = bundle - 1;
          holding.leaseUsed = 1;
          holding.leaseLastUse = now;
          holding.leaseUntil = until;
          this.#lent.set(key, holding);
        } else this.#grant(holding, now, count - 1);
        return admitted(holding, now, this.#options);
      },
      () => this.#askedInVain(key, holding, now, count, bundle),
    );
  }

  /** What others have taken meanwhile may still be read, where a lock or a full disk keeps everybody from writing. */
  #askedInVain(key: string, holding: Holding, now: number, count: number, bundle: number): MaybePromise<Permit> {
    const entry: Spent = [now, count];
    if (bundle === 1) {
      // It may have been written, with only the answer lost: then the store has it now.
      holding.unsaved = [...holding.unsaved, entry];
      holding.inDoubt.add(entry);
      this.#countAlone(holding, now, count);
    }
    return this.#calls.reload(key, holding, () => {
      this.#calls.isAway = true;
      if (bundle > 1) return this.#admitAlone(holding, now);
      const mayBeNew = holding.unsaved.includes(entry);
      if (!mayBeNew || this.#leftOfShare(holding, now) >= 0) {
        this.#grant(holding, now, count - 1);
        return admitted(holding, now, this.#options);
      }
      holding.unsaved = holding.unsaved.filter((other) => other !== entry);
      this.#countAlone(holding, now, -count);
      return this.#admitAlone(holding, now);
    });
  }

  #grant(holding: Holding, now: number, count: number): void {
    holding.granted = count;
    holding.grantedAt = now;
  }

  #admitAlone(holding: Holding, now: number): Permit {
    if (this.#leftOfShare(holding, now) <= 0) return this.#refuseAlone(holding, now);
    holding.unsaved = withUnsaved(holding, now, this.#options.windowMs);
    this.#countAlone(holding, now, 1);
    return admitted(holding, now, this.#options);
  }

  #countAlone(holding: Holding, now: number, count: number): void {
    countAlone(holding, now, count, this.#options);
  }

  #leftOfShare(holding: Holding, now: number): number {
    return leftOfShare(holding, this.#options.share?.() ?? WHOLE, now, this.#options);
  }

  #refuseAlone(holding: Holding, now: number): Permit {
    const { windowMs } = this.#options;
    const freeAt = oldestFreeAt(currentWindow(holding, now, this.#options), windowMs) ?? now + windowMs;
    holding.refusedUntil = Math.min(freeAt, Math.max(this.#calls.awayUntil, this.#calls.settledAt));
    return { admitted: false, limit: holding.limit, remaining: 0, resetMs: Math.max(1, freeAt - now), at: now };
  }

  #bundleFor(limit: number): number {
    return this.#options.bundles && limit > SINGLE_PERMIT_LIMIT ? Math.ceil(limit / 60) : 1;
  }

  #refuse(holding: Holding, window: PermitWindow, now: number): Permit {
    const freeAt = nextFreeAt(window, holding.limit, this.#options.windowMs);
    const othersLease = window.leases.length > 0;
    holding.refusedUntil = othersLease ? Math.min(freeAt, now + REFUSAL_WITH_LEASES_MS) : freeAt;
    holding.outdated = othersLease;
    return { admitted: false, limit: holding.limit, remaining: 0, resetMs: freeAt - now, at: now };
  }

  async #acquireNext(key: string, limit: number, holding: Holding): Promise<Permit> {
    holding.waiting += 1;
    await holding.turn;
    holding.waiting -= 1;
    if (holding.granted === 0 || holding.limit !== limit) return this.acquire(key, limit);
    holding.granted -= 1;
    return admitted(holding, holding.grantedAt, this.#options);
  }

  async #inTurn<T>(holding: Holding, then: () => MaybePromise<T>): Promise<T> {
    await holding.turn;
    return then();
  }
}
