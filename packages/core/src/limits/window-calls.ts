import { PatientCalls } from "../store/patient-calls.ts";
import type { MaybePromise, TrafficStore, VersionedWindow } from "../store/store.ts";
import { endLease, type Holding, takeOver } from "./holding.ts";
import type { PermitWindow } from "./permit-window.ts";

export interface WindowCallsOptions {
  readonly store: Pick<TrafficStore, "steadyNow" | "permitWindow" | "setPermitWindow">;
  /** The instance's id: whose leases these are. */
  readonly holder: string;
}

/** Reads and writes what the store has of a key, each call after the one before; what comes of it is in the holding. */
export class WindowCalls extends PatientCalls {
  readonly #options: WindowCallsOptions;
  /** Steady milliseconds: it was tried a moment ago, and in vain. */
  #unreadableUntil = 0;

  constructor(options: WindowCallsOptions) {
    super(() => options.store.steadyNow());
    this.#options = options;
  }

  /** @param then told whether it was written: if not, another was first */
  write<T>(
    key: string,
    holding: Holding,
    next: PermitWindow,
    then: (ok: boolean) => MaybePromise<T>,
    onFault: () => MaybePromise<T>,
  ): MaybePromise<T> {
    const { store } = this.#options;
    const askedAt = store.steadyNow();
    const settled = (ok: boolean): MaybePromise<T> => {
      if (ok) {
        holding.version += 1;
        holding.window = next;
        holding.knownAt = askedAt;
        endLease(holding);
        holding.unsaved = [];
        holding.inDoubt.clear();
      }
      return then(ok);
    };
    const unsettled = (): MaybePromise<T> => {
      holding.inDoubt = new Set(holding.unsaved);
      return onFault();
    };
    const call = (): MaybePromise<boolean> => store.setPermitWindow(key, holding.version, next);
    return this.#asked(key, holding, call, settled, unsettled);
  }

  /** Takes over what the store has. @param onFault what is known stays */
  reload<T>(
    key: string,
    holding: Holding,
    then: () => MaybePromise<T>,
    onFault: () => MaybePromise<T> = then,
  ): MaybePromise<T> {
    const { store, holder } = this.#options;
    const [askedAt, wasAway] = [store.steadyNow(), this.isAway];
    const loaded = (found: VersionedWindow | undefined): MaybePromise<T> => {
      // While nobody can write, who answers may be behind; what is known is not forgotten for that.
      if (!wasAway || (found?.version ?? 0) >= holding.version) takeOver(holding, found, holder);
      holding.outdated = false;
      holding.knownAt = askedAt;
      return then();
    };
    const storeAway = (): MaybePromise<T> => {
      holding.outdated = false;
      return onFault();
    };
    return this.#asked(key, holding, () => store.permitWindow(key), loaded, storeAway);
  }

  /**
   * What others have taken up to the last fault is known, or is read where that is possible: a full disk, a held lock and
   * a primary that the other members do not follow yet keep everybody from writing alone.
   */
  withLatest<T>(key: string, holding: Holding, then: () => MaybePromise<T>): MaybePromise<T> {
    const now = this.#options.store.steadyNow();
    if (holding.knownAt >= this.faultAt || this.#unreadableUntil > now || this.isSilent()) return then();
    const read = (): MaybePromise<T> => {
      // It is read, and not written.
      this.isAway = true;
      return then();
    };
    const unreadable = (): MaybePromise<T> => {
      this.#unreadableUntil = this.awayUntil;
      return then();
    };
    return this.reload(key, holding, read, unreadable);
  }

  #asked<A, T>(
    key: string,
    holding: Holding,
    call: () => MaybePromise<A>,
    then: (answer: A) => MaybePromise<T>,
    onFault: () => MaybePromise<T>,
  ): MaybePromise<T> {
    if (!this.isSilent()) holding.granted = 0;
    return this.run(holding, call, then, () => {
      void this.lookAgain(() => this.#options.store.permitWindow(key));
      return onFault();
    });
  }
}
